//! `kd man`.

use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_mangen::Man;
use kd_models::files::write_atomically;
use kd_train::TrainError;

use super::error::CliError;
use super::{Cli, output};

/// Flags of `kd man`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Command whose page to print [default: kd itself]
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    command: Option<String>,
    /// Write all pages into this directory, one for each command
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    out: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<(), CliError> {
    let pages = pages();
    if let Some(folder) = &args.out {
        return write(&pages, folder);
    }
    let name = match &args.command {
        Some(command) => format!("kd-{command}"),
        None => "kd".to_owned(),
    };
    let page = pages
        .iter()
        .find(|page| page.get_filename() == format!("{name}.1"));
    let Some(page) = page else {
        let command = args.command.clone().unwrap_or_default();
        return Err(CliError::NoCommand(command));
    };
    output::text(&String::from_utf8_lossy(&rendered(page)?));
    Ok(())
}

/// A page for the program, and one for each command.
fn pages() -> Vec<Man> {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let commands = program.get_subcommands().filter(|sub| !sub.is_hide_set());
    let commands: Vec<_> = commands.cloned().collect();
    let manual = || format!("kd {}", env!("CARGO_PKG_VERSION"));
    std::iter::once(program)
        .chain(commands)
        .map(|command| Man::new(command).source(manual()).manual("kd manual"))
        .collect()
}

fn rendered(page: &Man) -> Result<Vec<u8>, CliError> {
    let mut text = Vec::new();
    page.render(&mut text).map_err(CliError::Generated)?;
    Ok(text)
}

fn write(pages: &[Man], folder: &Path) -> Result<(), CliError> {
    std::fs::create_dir_all(folder).map_err(|error| TrainError::io(folder, error))?;
    for page in pages {
        let path = folder.join(page.get_filename());
        write_atomically(&path, &rendered(page)?).map_err(|error| TrainError::io(&path, error))?;
    }
    output::text(&format!("{} pages in {}", pages.len(), folder.display()));
    Ok(())
}
