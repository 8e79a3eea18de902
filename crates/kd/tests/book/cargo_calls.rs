//! Calls of cargo in the pages: they are not carried out, but what they name has to be there.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::checkout::Checkout;
use crate::scratch::Scratch;

/// Commands of cargo that a page may use.
const COMMANDS: [&str; 13] = [
    "add", "bench", "build", "check", "clippy", "deny", "doc", "fmt", "install", "miri", "new",
    "run", "test",
];

/// Checks calls as the stand-in for cargo notes them: a call a line, its words between tabs.
pub fn check(checkout: &Checkout, scratch: &Scratch, calls: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for call in calls.lines() {
        let words: Vec<_> = call.trim_end_matches('\t').split('\t').collect();
        if let Some(problem) = problem(checkout, scratch, &words) {
            wrong.push(format!("`cargo {}`: {problem}", words.join(" ")));
        }
    }
    wrong
}

/// Checks a dependency on a crate of the workspace, and its features.
pub fn dependency(checkout: &Checkout, name: &str, value: &toml::Value) -> Result<(), String> {
    let workspace = Workspace::of(checkout);
    if !workspace.has_package(name) {
        return Err(format!("there is no package {name}"));
    }
    let features = value.get("features").and_then(toml::Value::as_array);
    let mut features = features
        .into_iter()
        .flatten()
        .filter_map(toml::Value::as_str);
    match features.find(|feature| !workspace.has_feature(Some(name), feature)) {
        Some(feature) => Err(format!("{name} has no feature {feature}")),
        None => Ok(()),
    }
}

fn problem(checkout: &Checkout, scratch: &Scratch, words: &[&str]) -> Option<String> {
    let mut words = words.iter().copied().filter(|word| !word.starts_with('+'));
    let command = words.next().unwrap_or_default();
    if !COMMANDS.contains(&command) {
        return Some(format!("`{command}` is not among {COMMANDS:?}"));
    }
    let words: Vec<_> = words.take_while(|word| *word != "--").collect();
    let value = |names: &[&str]| {
        let mut pairs = words.windows(2);
        pairs.find_map(|pair| names.contains(&pair[0]).then_some(pair[1]))
    };
    if let Some(manifest) = value(&["--manifest-path"]) {
        let is_there = |folder: &Path| folder.join(manifest).is_file();
        return (!is_there(&checkout.root) && !is_there(scratch.path()))
            .then(|| format!("there is no {manifest}"));
    }
    let workspace = Workspace::of(checkout);
    let package = match command {
        "install" | "add" => words.iter().copied().find(|word| !word.starts_with('-')),
        _ => value(&["-p", "--package"]),
    };
    if let Some(package) = package
        && !workspace.has_package(package)
    {
        return Some(format!("there is no package {package}"));
    }
    for kind in ["bin", "example", "test", "bench"] {
        if let Some(name) = value(&[&format!("--{kind}")])
            && !workspace.has_target(kind, name)
        {
            return Some(format!("there is no {kind} {name}"));
        }
    }
    let features = value(&["--features"]).unwrap_or_default().split(',');
    let unknown = |feature: &&str| !feature.is_empty() && !workspace.has_feature(package, feature);
    features
        .into_iter()
        .find(unknown)
        .map(|feature| format!("there is no feature {feature}"))
}

/// What `cargo metadata` says of the workspace.
struct Workspace(Vec<Value>);

impl Workspace {
    fn of(checkout: &Checkout) -> &'static Self {
        static WORKSPACE: OnceLock<Workspace> = OnceLock::new();
        WORKSPACE.get_or_init(|| {
            let output = Command::new(env!("CARGO"))
                .args([
                    "metadata",
                    "--no-deps",
                    "--offline",
                    "--format-version",
                    "1",
                ])
                .current_dir(&checkout.root)
                .output()
                .expect("cargo runs");
            let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata");
            Self(metadata["packages"].as_array().expect("packages").clone())
        })
    }

    fn has_package(&self, name: &str) -> bool {
        self.0.iter().any(|package| package["name"] == name)
    }

    fn has_target(&self, kind: &str, name: &str) -> bool {
        let targets = self
            .0
            .iter()
            .filter_map(|package| package["targets"].as_array());
        targets.flatten().any(|target| {
            let kinds = target["kind"].as_array();
            target["name"] == name && kinds.is_some_and(|kinds| kinds.iter().any(|k| k == kind))
        })
    }

    /// Whether the package has the feature, or any package if none is named.
    fn has_feature(&self, package: Option<&str>, feature: &str) -> bool {
        let packages = self
            .0
            .iter()
            .filter(|other| package.is_none_or(|name| other["name"] == name));
        packages
            .into_iter()
            .any(|package| package["features"].get(feature).is_some())
    }
}
