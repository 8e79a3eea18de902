//! Recipes, and the commands that repeat the runs.

use kd_recipes::sweep::quoted;

use super::parts::{Section, absent, details, escaped, numbered, paragraph};
use crate::Report;
use crate::runs::Run;

pub(super) fn section(report: &Report) -> Section {
    let mut body = paragraph(
        "A recipe has everything that its run depends on: saved as recipe.yaml, the command repeats the \
         run. On the CPU the numbers are the same.",
    );
    let open = report.runs.runs.len() == 1;
    for (_, run) in numbered(report) {
        let recipe = match std::fs::read_to_string(run.folder.join("recipe.yaml")) {
            Ok(text) => format!("<pre><code>{}</code></pre>\n", escaped(text.trim_end())),
            Err(error) => absent(&format!("The recipe cannot be read: {error}.")),
        };
        let command = format!("<pre><code>{}</code></pre>\n", escaped(&command(run)));
        let what = format!("{}: {}", run.name, run.what());
        body.push_str(&details(&what, &(command + &recipe), open));
    }
    Section::new("recipes", "Recipes", body)
}

/// The command that repeats a run.
fn command(run: &Run) -> String {
    let recipe = &run.record.recipe;
    let verb = match (recipe.peers.is_empty(), recipe.distills()) {
        (false, _) => "mutual",
        (true, true) => "distill",
        (true, false) => "train",
    };
    let file = run.folder.join("recipe.yaml");
    let again = format!("{}-again", run.folder.display());
    let [file, again] = [file.display().to_string(), again].map(|path| quoted(&path));
    format!("kd {verb} --config {file} --out {again}")
}
