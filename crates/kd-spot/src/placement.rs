//! Where to cut two networks, as a recipe says it.

use std::str::FromStr;

use kd_core::{FeatureShapes, Site};
use serde::{Deserialize, Serialize};

use crate::{Cuts, SpotError};

/// Where routing cuts the networks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "Written", into = "Written")]
pub enum CutPlacement {
    /// Where the losses act.
    #[default]
    Auto,
    /// After every stage of the network that has fewer, and the nearest ones of the other.
    Stages,
    /// After the last map of both.
    Last,
    /// After the pooling.
    Pooled,
    /// After these stages of student and teacher (0 is the stem).
    After(Vec<[usize; 2]>),
}

/// As it is in a file.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(
    untagged,
    expecting = "expected auto, stages, last, pooled, or stages of student and teacher as in [[1, 1], [2, 3]]"
)]
enum Written {
    Name(String),
    After(Vec<[usize; 2]>),
}

const NAMED: [(&str, CutPlacement); 4] = [
    ("auto", CutPlacement::Auto),
    ("stages", CutPlacement::Stages),
    ("last", CutPlacement::Last),
    ("pooled", CutPlacement::Pooled),
];

impl TryFrom<Written> for CutPlacement {
    type Error = SpotError;

    fn try_from(written: Written) -> Result<Self, SpotError> {
        match written {
            Written::Name(name) => name.parse(),
            Written::After(stages) => Ok(Self::After(stages)),
        }
    }
}

impl From<CutPlacement> for Written {
    fn from(cuts: CutPlacement) -> Self {
        if let CutPlacement::After(stages) = cuts {
            return Self::After(stages);
        }
        let name = NAMED.iter().find(|(_, named)| *named == cuts);
        Self::Name(name.map_or("auto", |(name, _)| name).to_owned())
    }
}

impl FromStr for CutPlacement {
    type Err = SpotError;

    /// A name, or stages of student and teacher as in `1:1,2:3`.
    fn from_str(text: &str) -> Result<Self, SpotError> {
        if let Some((_, named)) = NAMED.iter().find(|(name, _)| *name == text) {
            return Ok(named.clone());
        }
        let pair = |text: &str| {
            let (student, teacher) = text.split_once(':')?;
            let stage = |text: &str| text.trim().parse::<usize>().ok();
            Some([stage(student)?, stage(teacher)?])
        };
        let stages: Option<Vec<_>> = text.split(',').map(pair).collect();
        stages.map(Self::After).ok_or_else(|| {
            let expected =
                "auto, stages, last, pooled, or stages of student and teacher as in 1:1,2:3";
            SpotError::parameter("cuts", format!("`{text}`"), expected)
        })
    }
}

impl CutPlacement {
    /// The cuts of two networks for losses that act at these sites.
    ///
    /// # Errors
    ///
    /// As [`Cuts::new`] and [`Cuts::at`].
    pub fn cuts(
        &self,
        sites: &[Site],
        student: &FeatureShapes,
        teacher: &FeatureShapes,
    ) -> Result<Cuts, SpotError> {
        match self {
            Self::Auto => Cuts::at(sites, student, teacher),
            Self::Stages => Cuts::at(&[Site::EachStage], student, teacher),
            Self::Last => Cuts::at(&[Site::Stage(None)], student, teacher),
            Self::Pooled => Cuts::at(&[Site::Pooled], student, teacher),
            Self::After(stages) => {
                let of = |network: usize| stages.iter().map(|pair| pair[network]).collect();
                Cuts::new(of(0), of(1))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_neither_is_refused_with_what_is_expected() {
        let error = serde_json::from_str::<CutPlacement>("3").expect_err("no cuts");
        assert!(
            error.to_string().starts_with("expected auto, stages"),
            "{error}"
        );
    }

    #[test]
    fn what_is_written_is_read() {
        for (text, json) in [
            ("auto", "\"auto\""),
            ("pooled", "\"pooled\""),
            ("1:1,2:3", "[[1,1],[2,3]]"),
        ] {
            let cuts: CutPlacement = text.parse().expect("cuts");
            assert_eq!(serde_json::to_string(&cuts).expect("JSON"), json);
            assert_eq!(serde_json::from_str::<CutPlacement>(json).ok(), Some(cuts));
        }
        for text in ["1", "1:", "a:b", "all", ""] {
            let error = text.parse::<CutPlacement>().expect_err("no cuts");
            assert!(
                error.to_string().starts_with("routing.cuts is `"),
                "{error}"
            );
        }
    }
}
