//! Where the networks are cut, as a recipe says it.

use std::str::FromStr;

use kd_losses::{Method, Place};
use kd_models::FeatureShapes;
use kd_spot::{Cuts, SpotError};
use serde::{Deserialize, Serialize};

use crate::TrainError;

/// Where routing cuts the networks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum RoutingCuts {
    /// Where the method acts.
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
#[serde(untagged)]
enum Written {
    Name(String),
    After(Vec<[usize; 2]>),
}

const NAMED: [(&str, RoutingCuts); 4] = [
    ("auto", RoutingCuts::Auto),
    ("stages", RoutingCuts::Stages),
    ("last", RoutingCuts::Last),
    ("pooled", RoutingCuts::Pooled),
];

impl TryFrom<Written> for RoutingCuts {
    type Error = TrainError;

    fn try_from(written: Written) -> Result<Self, TrainError> {
        match written {
            Written::Name(name) => name.parse(),
            Written::After(stages) => Ok(Self::After(stages)),
        }
    }
}

impl From<RoutingCuts> for Written {
    fn from(cuts: RoutingCuts) -> Self {
        if let RoutingCuts::After(stages) = cuts {
            return Self::After(stages);
        }
        let name = NAMED.iter().find(|(_, named)| *named == cuts);
        Self::Name(name.map_or("auto", |(name, _)| name).to_owned())
    }
}

impl FromStr for RoutingCuts {
    type Err = TrainError;

    /// A name, or stages of student and teacher as in `1:1,2:3`.
    fn from_str(text: &str) -> Result<Self, TrainError> {
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
            TrainError::value("routing_cuts", format!("`{text}`"), expected)
        })
    }
}

impl RoutingCuts {
    /// The cuts of two networks.
    pub(crate) fn of(
        &self,
        method: Option<&Method>,
        student: &FeatureShapes,
        teacher: &FeatureShapes,
    ) -> Result<Cuts, SpotError> {
        let place = match self {
            Self::Auto => method.map_or(Place::Pooled, Method::place),
            Self::Stages => Place::Stages,
            Self::Last => Place::Map(None),
            Self::Pooled => Place::Pooled,
            Self::After(stages) => {
                let of = |network: usize| stages.iter().map(|pair| pair[network]).collect();
                return Cuts::new(of(0), of(1));
            }
        };
        Cuts::at(place, student, teacher)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (text, yaml) in [
            ("auto", "auto"),
            ("pooled", "pooled"),
            ("1:1,2:3", "[[1, 1], [2, 3]]"),
        ] {
            let cuts: RoutingCuts = text.parse().expect("cuts");
            assert_eq!(
                serde_saphyr::from_str::<RoutingCuts>(yaml).ok(),
                Some(cuts.clone())
            );
            let written = serde_saphyr::to_string(&cuts).expect("YAML");
            assert_eq!(
                serde_saphyr::from_str::<RoutingCuts>(&written).ok(),
                Some(cuts)
            );
        }
        for text in ["1", "1:", "a:b", "all", ""] {
            let error = text
                .parse::<RoutingCuts>()
                .expect_err("no cuts")
                .to_string();
            assert!(error.starts_with("routing_cuts: "), "{error}");
        }
    }
}
