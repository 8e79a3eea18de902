//! `kd completions`.

use std::path::Path;

use clap_complete::env::{EnvCompleter, Shells};

use super::error::CliError;
use super::output;

/// The variable by which the shell's function asks the program for candidates.
pub const VARIABLE: &str = "KD_COMPLETE";

/// Flags of `kd completions`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Shell to print a completion script for
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Shells with completions.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
    Elvish,
}

impl Shell {
    fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
            Self::Powershell => "powershell",
            Self::Elvish => "elvish",
        }
    }
}

pub fn run(args: &Args) -> Result<(), CliError> {
    let shells = Shells::builtins();
    let Some(shell) = shells.completer(args.shell.name()) else {
        return Err(CliError::Shell(args.shell.name()));
    };
    output::text(&script(shell, &program())?);
    Ok(())
}

/// The script that registers completions, which come from `program`.
fn script(shell: &dyn EnvCompleter, program: &str) -> Result<String, CliError> {
    let mut script = Vec::new();
    shell
        .write_registration(VARIABLE, "kd", "kd", program, &mut script)
        .map_err(CliError::Generated)?;
    Ok(String::from_utf8_lossy(&script).into_owned())
}

/// How the shell is to call the program: as it was called now, from any folder.
fn program() -> String {
    let called = std::env::args_os().next().unwrap_or_else(|| "kd".into());
    let path = Path::new(&called);
    // A name alone is looked up in `PATH`.
    match path.components().count() {
        1 => called.to_string_lossy().into_owned(),
        _ => {
            let absolute = std::path::absolute(path);
            let path = absolute.unwrap_or_else(|_| path.to_owned());
            path.to_string_lossy().into_owned()
        }
    }
}
