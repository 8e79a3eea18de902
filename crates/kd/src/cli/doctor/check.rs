//! One thing that was looked at.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// How it is, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Ok,
    /// Worth knowing; training is possible.
    Note,
    /// Training is impossible.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub struct Check {
    pub topic: &'static str,
    pub status: Status,
    pub found: String,
    /// What to do about it.
    pub advice: Option<String>,
    /// The same as numbers and names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<&'static str, Value>,
}

impl Check {
    /// Something in order.
    pub fn ok(topic: &'static str, found: impl Into<String>) -> Self {
        Self {
            topic,
            status: Status::Ok,
            found: found.into(),
            advice: None,
            values: BTreeMap::new(),
        }
    }

    /// Something to know, and what to do about it.
    pub fn note(self, advice: impl Into<String>) -> Self {
        self.with(Status::Note, advice)
    }

    /// Something without which nothing can be trained.
    pub fn problem(self, advice: impl Into<String>) -> Self {
        self.with(Status::Problem, advice)
    }

    fn with(self, status: Status, advice: impl Into<String>) -> Self {
        Self {
            status,
            advice: Some(advice.into()),
            ..self
        }
    }

    /// Adds what was found as a number or a name.
    pub fn value(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.values.insert(key, value.into());
        self
    }

    /// A line, and one more for what to do.
    pub fn lines(&self) -> String {
        let status = match self.status {
            Status::Ok => "ok",
            Status::Note => "note",
            Status::Problem => "PROBLEM",
        };
        let line = format!("{status:<9}{:<15}{}", self.topic, self.found);
        match &self.advice {
            Some(advice) => format!("{line}\n{:24}→ {advice}", ""),
            None => line,
        }
    }
}
