//! One training step of every recipe at its true shapes, on drawn images: time and peak memory.
//!
//! ```text
//! recipe_steps FILE [PATTERN...]   measures the recipes that FILE (tab-separated) does not have yet
//! recipe_steps --batch N FILE [PATTERN...]   the same with batches of N images
//! recipe_steps --one NAME [N]      measures one in this process and prints its line
//! recipe_steps --table FILE        prints the figures of FILE as Markdown tables
//! recipe_steps --cost FILE         prints what all runs of a study take at these steps
//! ```
//!
//! Each recipe has a process of its own, so that its memory is its own. The networks are as drawn;
//! phases before the main one make a step of theirs too. The first step is measured, with whatever
//! is allocated in it: the figure is an upper bound of a step's time.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod cost;
mod step;
mod table;

use std::error::Error;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use kd_recipes::select;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [flag, name] if flag == "--one" => println!("{}", step::measure(name, None)?),
        [flag, name, batch] if flag == "--one" => {
            println!("{}", step::measure(name, Some(batch.parse()?))?);
        }
        [flag, batch, file, patterns @ ..] if flag == "--batch" => {
            all(Path::new(file), patterns, Some(batch))?;
        }
        [flag, file] if flag == "--cost" => println!("{}", cost::markdown(Path::new(file))?),
        [flag, file] if flag == "--table" => println!("{}", table::markdown(Path::new(file))?),
        [file, patterns @ ..] => all(Path::new(file), patterns, None)?,
        [] => return Err("usage: recipe_steps FILE [PATTERN...]".into()),
    }
    Ok(())
}

/// Measures what the file does not have yet; fails in the end if a recipe did.
fn all(file: &Path, patterns: &[String], batch: Option<&String>) -> Result<(), Box<dyn Error>> {
    let done = std::fs::read_to_string(file).unwrap_or_default();
    let done: Vec<&str> = done
        .lines()
        .filter_map(|line| line.split('\t').next())
        .collect();
    let mut out = OpenOptions::new().create(true).append(true).open(file)?;
    let mut failed = Vec::new();
    for recipe in select(patterns)? {
        if done.contains(&recipe.name.as_str()) {
            continue;
        }
        let program = std::env::current_exe()?;
        let output = Command::new(program)
            .args(["--one", &recipe.name])
            .args(batch)
            .output()?;
        let line = String::from_utf8_lossy(&output.stdout);
        if output.status.success() {
            print!("{line}");
            out.write_all(line.as_bytes())?;
        } else {
            let reason = String::from_utf8_lossy(&output.stderr);
            eprintln!("{}: {}", recipe.name, reason.trim());
            failed.push(recipe.name);
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(format!("{} recipes failed: {}", failed.len(), failed.join(", ")).into())
}
