//! What a command starts from: a recipe by name, or what another program's file or flags say.

use std::ffi::OsString;
use std::path::PathBuf;

use kd_recipes::foreign::{Foreign, translate};
use kd_recipes::{Needs, recipe, shorten};
use kd_train::Overlay;

use super::error::CliError;
use super::output;

/// The commands that take other programs' files and flags.
const COMMANDS: [&str; 4] = ["train", "distill", "mutual", "recipe"];

/// What the recipe file and the flags are laid over.
#[derive(Clone, Debug, Default)]
pub struct Base {
    pub overlay: Overlay,
    /// The folder that was asked for in another program's words.
    pub out: Option<PathBuf>,
    /// The recipe that trains the teacher.
    pub needs: Option<Needs>,
    /// Whether the number of epochs changes what depends on it.
    named: bool,
}

impl Base {
    /// A recipe by its name.
    pub fn named(name: &str) -> Result<Self, CliError> {
        let recipe = recipe(name)?;
        Ok(Self {
            overlay: recipe.overlay(),
            out: None,
            needs: recipe.needs,
            named: true,
        })
    }

    /// What another program's file or flags say; their notes are printed.
    pub fn foreign(foreign: Foreign) -> Self {
        for note in &foreign.notes {
            output::note(note);
        }
        Self {
            overlay: foreign.overlay,
            out: foreign.out,
            needs: None,
            named: false,
        }
    }

    /// Whether it is of another program.
    pub fn is_foreign(&self) -> bool {
        !self.named && self.overlay != Overlay::default()
    }

    /// The recipe for another number of epochs.
    pub fn shortened(mut self, epochs: Option<usize>) -> Self {
        if let Some(epochs) = epochs.filter(|epochs| self.named && *epochs > 0) {
            shorten(&mut self.overlay, epochs);
        }
        self
    }
}

/// Takes what another program understands out of the arguments.
pub fn split(arguments: Vec<OsString>) -> Result<(Vec<OsString>, Option<Foreign>), CliError> {
    let texts: Option<Vec<String>> = arguments
        .iter()
        .map(|argument| argument.to_str().map(str::to_owned))
        .collect();
    // A path may be no text; those programs' arguments are.
    let Some(mut own) = texts else {
        return Ok((arguments, None));
    };
    let command = own.get(1).map(String::as_str);
    if !command.is_some_and(|command| COMMANDS.contains(&command)) {
        return Ok((arguments, None));
    }
    let translated = translate(own.split_off(2))?;
    own.extend(translated.rest);
    let own = own.into_iter().map(OsString::from);
    Ok((own.collect(), translated.foreign))
}
