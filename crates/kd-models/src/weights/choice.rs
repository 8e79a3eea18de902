//! Which of the weights in a file are taken, and for which network.

use std::collections::BTreeSet;

use burn::module::Module;

use super::identify::{Blanks, Candidate, Identity};
use super::names::Rank;
use super::sets::{StateSet, shown};
use super::views::{self, View};
use super::{WeightsFile, WeightsInfo};
use crate::parameters::paths;
use crate::{Architecture, ModelError};

/// Weights that fit.
pub(super) struct Choice<'a> {
    pub(super) identity: Identity,
    pub(super) view: View<'a>,
}

/// The search for the weights of a network.
struct Search<'a> {
    file: &'a WeightsFile,
    /// Networks that may be meant.
    networks: Vec<Architecture>,
    /// Whether it has to be one of these.
    named: bool,
    /// Number of classes, if the file does not tell.
    classes: usize,
    blanks: Blanks,
    /// What came closest.
    closest: Option<(Candidate, View<'a>)>,
}

impl WeightsFile {
    /// The weights to take, for this network if one is named.
    pub(super) fn choose(
        &self,
        architecture: Option<Architecture>,
        classes: Option<usize>,
    ) -> Result<Choice<'_>, ModelError> {
        self.check_set()?;
        let classes = classes.unwrap_or(1);
        if let Some(info) = &self.info {
            return self.as_described(info, architecture, classes);
        }
        let mut search = Search {
            file: self,
            networks: match architecture {
                Some(architecture) => vec![architecture],
                None => Architecture::all().collect(),
            },
            named: architecture.is_some(),
            classes,
            blanks: Blanks::default(),
            closest: None,
        };
        match search.fitting()? {
            Some(choice) => Ok(choice),
            None => Err(search.misfit()),
        }
    }

    /// What a file holds that says itself which network it is, if it holds that.
    fn as_described(
        &self,
        info: &WeightsInfo,
        architecture: Option<Architecture>,
        classes: usize,
    ) -> Result<Choice<'_>, ModelError> {
        let own = info.architecture;
        if let Some(other) = architecture.filter(|architecture| *architecture != own) {
            let problem = format!("the file holds {own}");
            return Err(self.mismatch(other.to_string(), vec![problem]));
        }
        let Some(view) = self.first_view() else {
            return Err(self.unknown());
        };
        // Nothing is built before the file is known to hold what it says.
        let blanks = &mut Blanks::default();
        let candidate = Candidate::new(blanks, own, info.form, classes, &view.listing());
        if !candidate.fits() {
            return Err(self.mismatch(own.to_string(), candidate.problems));
        }
        if candidate.identity.classes != info.classes {
            let (said, found) = (info.classes, candidate.identity.classes);
            let problem = format!("its header says {said} classes, its classifier has {found}");
            return Err(self.mismatch(own.to_string(), vec![problem]));
        }
        let identity = Identity {
            guessed: false,
            ..candidate.identity
        };
        Ok(Choice { identity, view })
    }

    /// The weights for a module of any kind: the first that have its paths, or else the likeliest.
    pub(super) fn choose_for<M: Module>(&self, module: &M) -> Result<View<'_>, ModelError> {
        self.check_set()?;
        let wanted = paths(module);
        let wanted: BTreeSet<&str> = wanted.iter().map(String::as_str).collect();
        let all = self.sets.iter().flat_map(|set| {
            let whole = views::whole(set, &self.ignore).into_iter();
            whole.chain(views::parts(set, &self.ignore))
        });
        let mut all = all.filter(|view| self.is_asked_for(view));
        let has_all = |view: &View<'_>| {
            let found: BTreeSet<&str> = view.entries().map(|(key, _)| key).collect();
            wanted.is_subset(&found)
        };
        let fitting = all.find(has_all);
        fitting
            .or_else(|| self.first_view())
            .ok_or_else(|| self.unknown())
    }

    fn first_view(&self) -> Option<View<'_>> {
        let views = self
            .sets
            .iter()
            .flat_map(|set| views::whole(set, &self.ignore));
        let mut views = views.filter(|view| self.is_asked_for(view));
        views.next()
    }

    /// Whether these weights are of the set that was asked for, if one was.
    fn is_asked_for(&self, view: &View<'_>) -> bool {
        self.asked.as_deref().is_none_or(|name| {
            let prefix = view.prefix.strip_suffix('.');
            view.set.is_called(name) || prefix == Some(name) || view.name() == name
        })
    }

    /// An error if a set was asked for that is not there.
    fn check_set(&self) -> Result<(), ModelError> {
        let Some(name) = &self.asked else {
            return Ok(());
        };
        let views = |set| {
            views::whole(set, &self.ignore)
                .into_iter()
                .chain(views::parts(set, &self.ignore))
        };
        if self
            .sets
            .iter()
            .flat_map(views)
            .any(|view| self.is_asked_for(&view))
        {
            return Ok(());
        }
        Err(ModelError::NoSuchSet {
            path: self.path.clone(),
            set: name.escape_debug().to_string(),
            found: self.set_names(|_| true),
        })
    }

    /// Names of sets, for messages.
    fn set_names(&self, which: impl Fn(&StateSet) -> bool) -> String {
        const SHOWN: usize = 8;
        let sets = self.sets.iter().filter(|set| which(set));
        let mut names: Vec<_> = sets.map(|set| shown(&set.name())).collect();
        if let Some(more) = names.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            names.truncate(SHOWN);
            names.push(format!("and {more} more"));
        }
        names.join(", ")
    }

    /// Names of the sets beside this one, none of which is in it or around it.
    pub(super) fn other_sets(&self, set: &StateSet) -> String {
        self.set_names(|other| {
            let inside = other.path.starts_with(&set.path);
            !inside && !set.path.starts_with(&other.path)
        })
    }

    fn unknown(&self) -> ModelError {
        let held = match self.sets.len() {
            0 | 1 => String::new(),
            _ => format!("; it holds {}", self.set_names(|_| true)),
        };
        ModelError::Format {
            path: self.path.clone(),
            reason: format!("its keys match no known network{held}"),
        }
    }

    fn mismatch(&self, model: String, problems: Vec<String>) -> ModelError {
        ModelError::Mismatch {
            path: self.path.clone(),
            model,
            problems,
        }
    }
}

impl<'a> Search<'a> {
    /// The likeliest weights of those that fit.
    fn fitting(&mut self) -> Result<Option<Choice<'a>>, ModelError> {
        let sets = &self.file.sets;
        let alike = |one: &StateSet, next: &StateSet| {
            one.rank == next.rank && one.path.len() == next.path.len()
        };
        for group in sets.chunk_by(alike) {
            let fits = group.iter().flat_map(|set| self.fits_of(set));
            let mut fits: Vec<_> = fits.collect();
            // The first of equals stays the first.
            fits.sort_by_key(|choice| choice.view.rank());
            let Some(best) = fits.first().map(|choice| choice.view.rank()) else {
                continue;
            };
            let tied = fits.iter().filter(|choice| choice.view.rank() == best);
            let tied: Vec<_> = tied.map(|choice| choice.view.name()).collect();
            let averaged = [best, group[0].rank].contains(&Rank::Averaged);
            if tied.len() > 1 && !averaged {
                let found: Vec<_> = tied.iter().map(|name| shown(name)).collect();
                return Err(ModelError::Ambiguous {
                    path: self.file.path.clone(),
                    found: found.join(", "),
                });
            }
            return Ok(fits.into_iter().next());
        }
        Ok(None)
    }

    /// The weights of a set that fit: all of it, or else all parts that are networks.
    fn fits_of(&mut self, set: &'a StateSet) -> Vec<Choice<'a>> {
        let file = self.file;
        let asked = |view: &View<'_>| file.is_asked_for(view);
        let whole = views::whole(set, &file.ignore).into_iter();
        let whole: Vec<_> = whole.filter(asked).collect();
        for index in 0..self.networks.len() {
            let architecture = self.networks[index];
            for view in &whole {
                if let Some(choice) = self.compare(architecture, view) {
                    return vec![choice];
                }
            }
        }
        let parts = views::parts(set, &file.ignore).into_iter();
        let parts: Vec<_> = parts.filter(asked).collect();
        let mut fits = Vec::new();
        for view in parts {
            let listing = view.listing();
            // What is most of the set may be meant, even if something is missing.
            let most = 2 * listing.len() > set.entries.len();
            let fitting = (0..self.networks.len()).find_map(|index| {
                let architecture = self.networks[index];
                let plausible = most || self.blanks.plausible(architecture, &listing);
                plausible
                    .then(|| self.compare(architecture, &view))
                    .flatten()
            });
            fits.extend(fitting);
        }
        fits
    }

    /// The weights as those of this network, if they are.
    fn compare(&mut self, architecture: Architecture, view: &View<'a>) -> Option<Choice<'a>> {
        let listing = view.listing();
        let blanks = &mut self.blanks;
        let candidate = Candidate::in_any_form(blanks, architecture, self.classes, &listing);
        if candidate.fits() {
            return Some(Choice {
                identity: candidate.identity,
                view: view.clone(),
            });
        }
        let best = self.closest.as_ref().map(|(best, _)| best.problems.len());
        let closer = best.is_none_or(|best| candidate.problems.len() < best);
        if closer && (self.named || candidate.close(&listing)) {
            self.closest = Some((candidate, view.clone()));
        }
        None
    }

    /// What is wrong with the weights that come closest.
    fn misfit(self) -> ModelError {
        let Some((candidate, view)) = self.closest else {
            return self.file.unknown();
        };
        let name = candidate.identity.architecture;
        let beside = self.file.other_sets(view.set);
        let place = match (beside.as_str(), view.name().as_str()) {
            ("", "") => String::new(),
            ("", name) => format!(" (those under {})", shown(name)),
            (beside, name) => format!(
                " (those under {}; the file also holds {beside}, see weights_set)",
                shown(name)
            ),
        };
        let mut problems = candidate.problems;
        if problems
            .iter()
            .all(|problem| problem.starts_with("unexpected "))
        {
            problems.push("see ignore_keys".to_owned());
        }
        if !self.named {
            let model = format!("any network; the closest, {name}, differs{place}");
            return self.file.mismatch(model, problems);
        }
        // Perhaps it is another network.
        if let Ok(other) = self.file.choose(None, None) {
            let other = other.identity.architecture;
            problems.insert(0, format!("keys and shapes are those of {other}"));
        }
        self.file.mismatch(format!("{name}{place}"), problems)
    }
}
