//! Measures one case on one device, part by part, and says what came out of each in a line of JSON:
//! `run.sh` asks for all of them, each in a process of its own.
#![allow(clippy::print_stdout)]

mod case;
mod parts;

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use case::Case;
use kd_train::{NoopObserver, Overlay, RunOptions, run};
use parts::Bench;
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let case: Case = match arguments[..] {
        [case] => serde_json::from_str(case)?,
        ["run", recipe, out, device] => return train(recipe, out, device),
        _ => return Err("give a case as JSON (see case.rs), or: run RECIPE OUT DEVICE".into()),
    };
    let mut bench = Bench::new(&case, started)?;
    for part in &case.parts {
        // One part that fails does not hide the others.
        let result = catch_unwind(AssertUnwindSafe(|| bench.measure(*part)));
        let line = match result {
            Ok(Ok(value)) => json!({ "part": part, "value": value }),
            Ok(Err(error)) => json!({ "part": part, "error": error.to_string() }),
            Err(panic) => json!({ "part": part, "error": said(&panic) }),
        };
        println!("{line}");
    }
    Ok(())
}

/// Carries out a recipe on a device.
fn train(recipe: &str, out: &str, device: &str) -> Result<(), Box<dyn Error>> {
    let mut overlay = Overlay::read(recipe)?;
    overlay.set("compute.device", device);
    let recipe = overlay.finish()?;
    let result = run(&recipe, &RunOptions::new(out), &mut NoopObserver)?;
    println!("{}", json!({ "best_top1": result.best_top1 }));
    Ok(())
}

/// What a panic said.
fn said(panic: &Box<dyn std::any::Any + Send>) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panic: {}", text.unwrap_or("without a message"))
}
