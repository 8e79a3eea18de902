//! A command line, of which the parts that another program understands are taken out.

use std::collections::BTreeMap;
use std::path::PathBuf;

use kd_losses::nearest_name;
use serde_json::Value;

use super::{Beside, Foreign, Program, read, repdistiller, zoo};
use crate::RecipesError;

/// A command line, translated.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Translated {
    /// The arguments that are kd's own.
    pub rest: Vec<String>,
    /// What the others say.
    pub foreign: Option<Foreign>,
}

/// Takes what another program understands out of the arguments of `kd train`, `kd distill` or `kd
/// mutual`: flags of RepDistiller, KDrefine or Knowledge-Distillation-Zoo, a file of
/// spot-adaptive-pytorch, ASKD or mdistiller (`--config`, `-cfg`, `--cfg`) with what may follow it.
/// kd's own flags may stand among them; without any of the others, nothing changes.
///
/// # Errors
///
/// [`RecipesError::Foreign`] naming the flag, or the file and the key.
pub fn translate(arguments: Vec<String>) -> Result<Translated, RecipesError> {
    let given = |signs: &[&str]| {
        arguments
            .iter()
            .any(|given| signs.contains(&flag_of(given)))
    };
    if given(zoo::SIGNS) {
        let (rest, values) = taken(arguments, zoo::FLAGS)?;
        let foreign = Some(zoo::read(values)?);
        return Ok(Translated { rest, foreign });
    }
    if given(repdistiller::SIGNS) {
        let (rest, values) = taken(arguments, repdistiller::FLAGS)?;
        let foreign = Some(repdistiller::read(values)?);
        return Ok(Translated { rest, foreign });
    }
    with_file(arguments)
}

/// The flag of `--flag=value`.
fn flag_of(argument: &str) -> &str {
    argument.split_once('=').map_or(argument, |(flag, _)| flag)
}

type Taken = (Vec<String>, BTreeMap<String, Value>);

/// Takes these flags out, with their values.
fn taken(arguments: Vec<String>, flags: &[(&str, &str)]) -> Result<Taken, RecipesError> {
    let (mut rest, mut values) = (Vec::new(), BTreeMap::new());
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (flag, inline) = match argument.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        let error = |reason: String| RecipesError::Foreign {
            origin: "command line".to_owned(),
            key: flag.to_owned(),
            reason,
        };
        let Some((_, key)) = flags.iter().find(|(own, _)| *own == flag) else {
            if flag.starts_with("--") && flag.contains('_') {
                let known = flags.iter().map(|(own, _)| *own);
                let nearest = nearest_name(flag, known)
                    .map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
                return Err(error(format!("is unknown{nearest}")));
            }
            rest.push(argument);
            continue;
        };
        let value = inline.or_else(|| arguments.next());
        let value = value.ok_or_else(|| error("needs a value".to_owned()))?;
        if values
            .insert((*key).to_owned(), Value::String(value))
            .is_some()
        {
            return Err(twice(flag));
        }
    }
    Ok((rest, values))
}

/// A file of another program, and what belongs to it.
fn with_file(arguments: Vec<String>) -> Result<Translated, RecipesError> {
    let mut parts = Parts::default();
    let mut left = arguments.clone().into_iter();
    while let Some(argument) = left.next() {
        parts.take(argument, &mut left)?;
    }
    let Some(path) = parts.config.clone() else {
        return Ok(Translated {
            rest: arguments,
            foreign: None,
        });
    };
    let Some(mut foreign) = read(&path, &parts.beside())? else {
        return Ok(Translated {
            rest: arguments,
            foreign: None,
        });
    };
    if let Some(folder) = &parts.logdir {
        foreign.out = Some(PathBuf::from(folder));
    }
    let mut rest = parts.rest;
    if foreign.program != Program::Mdistiller {
        // They override nothing here, which kd's own reader of arguments will say.
        rest.extend(parts.overrides.into_iter().map(|(key, _)| key));
    }
    Ok(Translated {
        rest,
        foreign: Some(foreign),
    })
}

/// A command line in parts.
#[derive(Default)]
struct Parts {
    rest: Vec<String>,
    config: Option<String>,
    routing: Option<String>,
    logdir: Option<String>,
    overrides: Vec<(String, Value)>,
    logit_stand: bool,
    temperature: Option<f64>,
    weight: Option<f64>,
}

impl Parts {
    fn take(
        &mut self,
        argument: String,
        left: &mut impl Iterator<Item = String>,
    ) -> Result<(), RecipesError> {
        let (flag, inline) = match argument.split_once('=') {
            Some((flag, value)) if flag.starts_with('-') => {
                (flag.to_owned(), Some(value.to_owned()))
            }
            _ => (argument.clone(), None),
        };
        let mut value = || {
            let value = inline.clone().or_else(|| left.next());
            value.ok_or_else(|| RecipesError::Foreign {
                origin: "command line".to_owned(),
                key: flag.clone(),
                reason: "needs a value".to_owned(),
            })
        };
        match flag.as_str() {
            "--config" | "--cfg" | "-cfg" => once(&mut self.config, &flag, value()?)?,
            "--logdir" => once(&mut self.logdir, &flag, value()?)?,
            "--file_name_cfg" | "--gpu_preserve" | "--debug" | "--preserve_percent" => {
                value()?;
            }
            "--logit-stand" => self.logit_stand = true,
            "--base-temp" => once(&mut self.temperature, &flag, number(&flag, &value()?)?)?,
            "--kd-weight" => once(&mut self.weight, &flag, number(&flag, &value()?)?)?,
            "--routing" => {
                let mode = value()?;
                self.rest.extend(["--routing".to_owned(), mode.clone()]);
                self.routing = Some(mode);
            }
            key if is_key(key) => {
                let text = value()?;
                let parsed = serde_saphyr::from_str(&text).unwrap_or(Value::String(text));
                self.overrides.push((key.to_owned(), parsed));
            }
            _ => self.rest.push(argument),
        }
        Ok(())
    }

    fn beside(&self) -> Beside {
        let stand = [self.temperature.unwrap_or(2.0), self.weight.unwrap_or(9.0)];
        Beside {
            routing: self.routing.clone(),
            overrides: self.overrides.clone(),
            logit_stand: self.logit_stand.then_some(stand),
        }
    }
}

/// Takes the value of a flag that is given once.
fn once<T>(place: &mut Option<T>, flag: &str, value: T) -> Result<(), RecipesError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(twice(flag)),
    }
}

fn twice(flag: &str) -> RecipesError {
    RecipesError::Foreign {
        origin: "command line".to_owned(),
        key: flag.to_owned(),
        reason: "is given twice".to_owned(),
    }
}

fn number(flag: &str, text: &str) -> Result<f64, RecipesError> {
    text.parse().map_err(|_| RecipesError::Foreign {
        origin: "command line".to_owned(),
        key: flag.to_owned(),
        reason: format!("is {text}, expected a number"),
    })
}

/// Whether an argument is a key of mdistiller, as `SOLVER.LR`.
fn is_key(argument: &str) -> bool {
    argument.contains('.')
        && argument.starts_with(|letter: char| letter.is_ascii_uppercase())
        && argument.chars().all(|letter| {
            letter.is_ascii_uppercase() || letter.is_ascii_digit() || "._".contains(letter)
        })
}
