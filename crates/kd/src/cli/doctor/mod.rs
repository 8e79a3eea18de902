//! `kd doctor`.

mod build;
mod check;
mod folders;
mod machine;
mod shell;

use std::path::PathBuf;

use serde::Serialize;

use self::check::{Check, Status};
use super::error::CliError;
use super::output;

/// Flags of `kd doctor`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directory to look for data sets in
    #[arg(long, value_name = "DIR", default_value = "data", value_hint = clap::ValueHint::DirPath)]
    root: PathBuf,
    /// Directory of a teacher cache to measure
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    teacher_cache: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was looked at.
#[derive(Serialize)]
struct Report {
    /// The worst of all checks.
    status: Status,
    checks: Vec<Check>,
}

pub fn run(args: &Args) -> Result<(), CliError> {
    let mut checks = build::checks();
    checks.extend(machine::checks());
    checks.extend(folders::checks(&args.root, args.teacher_cache.as_deref()));
    checks.extend(shell::checks());
    let status = checks.iter().map(|check| check.status).max();
    let report = Report {
        status: status.unwrap_or(Status::Ok),
        checks,
    };
    output::result(&report, args.json, |report| {
        let lines: Vec<String> = report.checks.iter().map(Check::lines).collect();
        lines.join("\n")
    })?;
    verdict(&report)
}

/// An error for the first problem.
fn verdict(report: &Report) -> Result<(), CliError> {
    let problem = |check: &&Check| check.status == Status::Problem;
    match report.checks.iter().find(problem) {
        Some(Check { topic, found, .. }) => Err(CliError::Unusable(format!("{topic}: {found}"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_problem_is_an_error() {
        let report = |check: Check| Report {
            status: check.status,
            checks: vec![Check::ok("memory", "much"), check],
        };
        let found = || Check::ok("devices", "none");
        assert!(verdict(&report(found().note("buy one"))).is_ok());
        let error = verdict(&report(found().problem("buy one")));
        let error = error.expect_err("a problem");
        assert_eq!(
            (error.to_string().as_str(), error.exit_code()),
            ("devices: none", 2)
        );
    }
}
