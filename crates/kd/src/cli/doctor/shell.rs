//! Terminal and environment.

use std::io::IsTerminal;

use serde_json::{Map, Value};

use super::check::Check;
use crate::cli::output;

/// Variables that have an effect, and which.
const VARIABLES: [(&str, &str); 9] = [
    ("KD_LOG", "what is logged"),
    ("KD_SIMD", "instructions of the CPU kernels"),
    ("KD_GPU_CACHE", "directory of compiled GPU kernels"),
    (
        "RAYON_NUM_THREADS",
        "CPU threads, where --threads is not given",
    ),
    ("CUDA_PATH", "directory of the CUDA toolkit"),
    ("CUBECL_ENVIRONMENT", "name of the compiled GPU kernels"),
    (
        "MIMALLOC_PURGE_DELAY",
        "when freed memory goes back to the system",
    ),
    ("NO_COLOR", "no colors"),
    ("CLICOLOR_FORCE", "colors everywhere"),
];

pub fn checks() -> Vec<Check> {
    vec![terminal(), environment()]
}

fn terminal() -> Check {
    let stream = |terminal: bool, colors: bool| match (terminal, colors) {
        (true, true) => "a terminal with colors",
        (true, false) => "a terminal without colors",
        (false, true) => "no terminal, with colors",
        (false, false) => "no terminal",
    };
    let (out, error) = (std::io::stdout(), std::io::stderr());
    let [shown, progress] = [
        stream(out.is_terminal(), output::colors(&out)),
        stream(error.is_terminal(), output::colors(&error)),
    ];
    let found = format!("standard output: {shown}; standard error: {progress}");
    Check::ok("terminal", found)
        .value("stdout_is_terminal", out.is_terminal())
        .value("stderr_is_terminal", error.is_terminal())
}

fn environment() -> Check {
    let set: Vec<(&str, &str, String)> = VARIABLES
        .iter()
        .filter_map(|(name, effect)| {
            let value = std::env::var_os(name)?;
            Some((*name, *effect, value.display().to_string()))
        })
        .collect();
    let texts: Vec<String> = set
        .iter()
        .map(|(name, effect, value)| format!("{name}={value} ({effect})"))
        .collect();
    let values: Map<String, Value> = set
        .iter()
        .map(|(name, _, value)| ((*name).to_owned(), value.as_str().into()))
        .collect();
    let found = match texts.is_empty() {
        true => "no variable that has an effect is set".to_owned(),
        false => texts.join(", "),
    };
    let check = Check::ok("environment", found).value("variables", values);
    match set
        .iter()
        .find(|(name, _, value)| *name == "KD_SIMD" && value != "avx2")
    {
        Some(_) => check.note("KD_SIMD has an effect as avx2 only"),
        None => check,
    }
}
