//! All networks by name.

use std::fmt;

use burn::tensor::Device;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{AnyNetwork, ModelError, ResnetConfig, VggConfig, WideResnetConfig};

/// How a registered network is built; the number of classes comes with the call.
#[derive(Clone, Copy, Debug)]
enum Blueprint {
    Resnet { depth: usize, channels: [usize; 4] },
    Wrn { depth: usize, widen: usize },
    Vgg { convs: [usize; 5] },
}

#[derive(Debug)]
struct Entry {
    name: &'static str,
    aliases: &'static [&'static str],
    blueprint: Blueprint,
}

const THIN: [usize; 4] = [16, 16, 32, 64];
const WIDE: [usize; 4] = [32, 64, 128, 256];

const fn resnet(name: &'static str, depth: usize, channels: [usize; 4]) -> Entry {
    Entry {
        name,
        aliases: &[],
        blueprint: Blueprint::Resnet { depth, channels },
    }
}

const fn wrn(
    name: &'static str,
    aliases: &'static [&'static str],
    depth: usize,
    widen: usize,
) -> Entry {
    Entry {
        name,
        aliases,
        blueprint: Blueprint::Wrn { depth, widen },
    }
}

const fn vgg(name: &'static str, aliases: &'static [&'static str], convs: [usize; 5]) -> Entry {
    Entry {
        name,
        aliases,
        blueprint: Blueprint::Vgg { convs },
    }
}

/// One line a network.
static ENTRIES: &[Entry] = &[
    resnet("resnet8", 8, THIN),
    resnet("resnet14", 14, THIN),
    resnet("resnet20", 20, THIN),
    resnet("resnet32", 32, THIN),
    resnet("resnet44", 44, THIN),
    resnet("resnet56", 56, THIN),
    resnet("resnet110", 110, THIN),
    resnet("resnet8x4", 8, WIDE),
    resnet("resnet32x4", 32, WIDE),
    wrn("wrn_16_1", &["wrn-16-1"], 16, 1),
    wrn("wrn_16_2", &["wrn-16-2"], 16, 2),
    wrn("wrn_40_1", &["wrn-40-1"], 40, 1),
    wrn("wrn_40_2", &["wrn-40-2"], 40, 2),
    wrn("wrn_28_10", &["wrn-28-10"], 28, 10),
    vgg("vgg8", &["vgg8_bn"], [1, 1, 1, 1, 1]),
    vgg("vgg11", &["vgg11_bn"], [1, 1, 2, 2, 2]),
    vgg("vgg13", &["vgg13_bn"], [2, 2, 2, 2, 2]),
    vgg("vgg16", &["vgg16_bn"], [2, 2, 3, 3, 3]),
    vgg("vgg19", &["vgg19_bn"], [2, 2, 4, 4, 4]),
];

/// A registered network, by name. Serialises as its name.
#[derive(Clone, Copy)]
pub struct Architecture(&'static Entry);

/// What the registry knows of a network, for lists.
#[derive(Clone, Debug, Serialize)]
pub struct ModelInfo {
    /// The name.
    pub name: &'static str,
    /// The family: `resnet`, `wrn` or `vgg`.
    pub family: &'static str,
    /// Other names under which it is found.
    pub aliases: &'static [&'static str],
    /// Trainable parameters for the number of classes that was asked for.
    pub params: usize,
    /// Stages between the stem and the pooling.
    pub stages: usize,
    /// Shapes `[channels, height, width]` of the stem's map and of each stage's.
    pub maps: Vec<[usize; 3]>,
    /// Length of the pooled feature.
    pub pooled: usize,
}

impl Architecture {
    /// All registered networks.
    pub fn all() -> impl Iterator<Item = Architecture> {
        ENTRIES.iter().map(Architecture)
    }

    /// The network of this name or alias, in any case of letters.
    ///
    /// # Errors
    ///
    /// [`ModelError::UnknownModel`], which lists the known names.
    pub fn by_name(name: &str) -> Result<Architecture, ModelError> {
        Self::all()
            .find(|architecture| {
                let Entry {
                    name: own, aliases, ..
                } = architecture.0;
                name.eq_ignore_ascii_case(own)
                    || aliases.iter().any(|alias| name.eq_ignore_ascii_case(alias))
            })
            .ok_or_else(|| ModelError::UnknownModel {
                name: name.to_owned(),
                known: ENTRIES
                    .iter()
                    .map(|entry| entry.name)
                    .collect::<Vec<_>>()
                    .join(", "),
            })
    }

    /// The name.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// The family's name.
    pub fn family(&self) -> &'static str {
        match self.0.blueprint {
            Blueprint::Resnet { .. } => "resnet",
            Blueprint::Wrn { .. } => "wrn",
            Blueprint::Vgg { .. } => "vgg",
        }
    }

    /// Builds the network with random weights.
    pub fn init(&self, num_classes: usize, device: &Device) -> AnyNetwork {
        match self.0.blueprint {
            Blueprint::Resnet { depth, channels } => {
                AnyNetwork::Resnet(ResnetConfig::new(depth, channels, num_classes).init(device))
            }
            Blueprint::Wrn { depth, widen } => {
                AnyNetwork::Wrn(WideResnetConfig::new(depth, widen, num_classes).init(device))
            }
            Blueprint::Vgg { convs } => {
                AnyNetwork::Vgg(VggConfig::new(convs, num_classes).init(device))
            }
        }
    }

    /// Parameters and feature shapes for images of `[channels, height, width]`.
    ///
    /// Builds the network and runs one blank image on `device`.
    pub fn info(&self, num_classes: usize, input: [usize; 3], device: &Device) -> ModelInfo {
        use crate::Network;

        let network = self.init(num_classes, device);
        let shapes = network.feature_shapes(input, device);
        ModelInfo {
            name: self.name(),
            family: self.family(),
            aliases: self.0.aliases,
            params: crate::weights::count_parameters(&network),
            stages: network.stages(),
            maps: shapes.maps,
            pooled: shapes.pooled,
        }
    }
}

impl fmt::Debug for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Architecture").field(&self.name()).finish()
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl PartialEq for Architecture {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Architecture {}

impl std::str::FromStr for Architecture {
    type Err = ModelError;

    fn from_str(name: &str) -> Result<Self, ModelError> {
        Self::by_name(name)
    }
}

impl Serialize for Architecture {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Architecture {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::by_name(&name).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_aliases_are_unique_and_found() {
        let mut seen = std::collections::BTreeSet::new();
        for architecture in Architecture::all() {
            for name in std::iter::once(&architecture.0.name).chain(architecture.0.aliases) {
                assert!(seen.insert(name.to_lowercase()), "{name} stands twice");
                assert_eq!(
                    Architecture::by_name(&name.to_uppercase()).ok(),
                    Some(architecture)
                );
            }
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let message = Architecture::by_name("resnet9")
            .map_err(|error| error.to_string())
            .expect_err("no such network");
        assert!(message.starts_with("unknown model `resnet9`"));
        assert!(message.contains("resnet8x4"));
    }

    #[test]
    fn an_architecture_is_its_name_in_a_file() {
        let json = serde_json::to_string(&Architecture::by_name("WRN-40-2").expect("an alias"))
            .expect("a name");
        assert_eq!(json, "\"wrn_40_2\"");
        assert!(serde_json::from_str::<Architecture>("\"wrn_40_3\"").is_err());
    }
}
