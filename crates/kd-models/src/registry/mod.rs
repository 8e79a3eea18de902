//! All networks by name.

mod blueprint;
mod entries;
mod repository;

use std::fmt;

use burn::tensor::Device;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{AnyNetwork, CountMacs, ModelError, Network};
use entries::{ENTRIES, Entry};

pub use repository::Repository;

/// A registered network, by name. Serializes as its name.
#[derive(Clone, Copy)]
pub struct Architecture(&'static Entry);

/// Largest height and width of images, so that a damaged file does not ask for all memory.
const LARGEST: usize = 2048;

/// What the registry knows of a network, for lists.
#[derive(Clone, Debug, Serialize)]
pub struct ModelInfo {
    /// The name.
    pub name: &'static str,
    /// The family: `resnet`, `wrn`, `vgg`, `mobilenet` or `shufflenet`.
    pub family: &'static str,
    /// Other names under which it is found.
    pub aliases: &'static [&'static str],
    /// Trainable parameters for the number of classes that was asked for.
    pub params: usize,
    /// Multiply-accumulates of convolutions and linear layers for one image.
    pub macs: u64,
    /// Shape of the images, `[channels, height, width]`.
    pub input: [usize; 3],
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

    /// Names of all registered networks.
    pub fn list() -> impl Iterator<Item = &'static str> {
        ENTRIES.iter().map(|entry| entry.name)
    }

    /// The network of this name or alias: as it is written, or else in any case of letters.
    ///
    /// The case matters once: `resnet50` is KDrefine's thin network of three stages, `ResNet50`
    /// the one of four stages and bottlenecks. Where repositories mean different networks by one
    /// name, see [`Architecture::by_name_in`].
    ///
    /// # Errors
    ///
    /// [`ModelError::UnknownModel`], which lists the known names.
    pub fn by_name(name: &str) -> Result<Architecture, ModelError> {
        let find = |same: fn(&str, &str) -> bool| {
            Self::all().find(|architecture| {
                let Entry {
                    name: own, aliases, ..
                } = architecture.0;
                same(name, own) || aliases.iter().any(|alias| same(name, alias))
            })
        };
        find(|a, b| a == b)
            .or_else(|| find(str::eq_ignore_ascii_case))
            .ok_or_else(|| ModelError::UnknownModel {
                name: name.to_owned(),
                known: Self::list().collect::<Vec<_>>().join(", "),
            })
    }

    /// The name.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// Other names under which it is found.
    pub fn aliases(&self) -> &'static [&'static str] {
        self.0.aliases
    }

    /// The family's name.
    pub fn family(&self) -> &'static str {
        self.0.blueprint.family()
    }

    /// Whether it has re-parameterizable units, which [`Foldable::deploy`](crate::Foldable::deploy) folds.
    pub fn deployable(&self) -> bool {
        self.0.blueprint.deployable()
    }

    /// Shape `[channels, height, width]` of the images that it is usually trained on: 32×32
    /// pixels, or 64×64 and 224×224 for the `-imagenet` networks. What else it can take, see
    /// [`Architecture::check_input`].
    pub fn usual_input(&self) -> [usize; 3] {
        let size = self.0.blueprint.image_size();
        [3, size, size]
    }

    /// An error unless the network can take images of `[channels, height, width]`: three channels,
    /// sides that survive the max pooling (8 pixels for a VGG, 32 for an `-imagenet` one, 1 for
    /// all others), and at most 2048 pixels.
    ///
    /// # Errors
    ///
    /// [`ModelError::Input`].
    pub fn check_input(&self, input: [usize; 3]) -> Result<(), ModelError> {
        let [channels, sides @ ..] = input;
        let smallest = self.0.blueprint.smallest_size();
        let fits = |side| (smallest..=LARGEST).contains(side);
        if channels == 3 && sides.iter().all(fits) {
            return Ok(());
        }
        Err(ModelError::Input {
            model: self.to_string(),
            found: input,
            smallest,
            largest: LARGEST,
        })
    }

    /// Builds the network with random weights, drawn as the references draw them.
    pub fn init(&self, num_classes: usize, device: &Device) -> AnyNetwork {
        self.0.blueprint.init(num_classes, device)
    }

    /// Parameters and feature shapes for images of `[channels, height, width]`.
    ///
    /// Builds the network and runs one blank image on `device`.
    ///
    /// # Panics
    ///
    /// If the network cannot take such images, see [`Architecture::check_input`].
    pub fn info(&self, num_classes: usize, input: [usize; 3], device: &Device) -> ModelInfo {
        let network = crate::parameters::zeroed(self.init(num_classes, device));
        let shapes = network.feature_shapes(input, device);
        let macs = network.macs(input, device);
        ModelInfo {
            name: self.name(),
            family: self.family(),
            aliases: self.aliases(),
            params: crate::parameters::count_parameters(&network),
            macs,
            input,
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

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Architecture {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Architecture".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let aliases = Self::all().flat_map(|network| network.aliases());
        let names: Vec<&str> = Self::list().chain(aliases.copied()).collect();
        schemars::json_schema!({
            "description": "A network: `kd models` lists them.",
            "enum": names
        })
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
                assert!(seen.insert(*name), "{name} stands twice");
                assert_eq!(Architecture::by_name(name).ok(), Some(architecture));
            }
        }
    }

    #[test]
    fn case_is_of_no_matter_but_for_resnet50() {
        let found = |name| Architecture::by_name(name).map(|found| found.name());
        assert_eq!(found("RESNET8X4").ok(), Some("resnet8x4"));
        assert_eq!(found("shufflev2").ok(), Some("shufflenetv2"));
        assert_eq!(found("resnet18").ok(), Some("ResNet18"));
        assert_eq!(found("resnet50").ok(), Some("resnet50"));
        assert_eq!(found("ResNet50").ok(), Some("ResNet50"));
    }

    #[test]
    fn imagenet_networks_have_their_published_parameters() {
        let published = [
            ("resnet18-imagenet", 11_689_512),
            ("resnet34-imagenet", 21_797_672),
            ("resnet50-imagenet", 25_557_032),
            ("mobilenetv1-imagenet", 4_231_976),
        ];
        for (name, expected) in published {
            let architecture = Architecture::by_name(name).expect("a known name");
            let network = architecture.init(1000, &Device::default());
            assert_eq!(
                crate::parameters::count_parameters(&network),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn multiply_accumulates_are_counted_by_hand() {
        let device = Device::default();
        let info = |name| {
            let architecture = Architecture::by_name(name).expect("a known name");
            architecture.info(100, [3, 32, 32], &device)
        };
        // Stem; one block of two convolutions a stage; two projections; the classifier.
        let stem = 1024 * 9 * 3 * 16;
        let first = 2 * 1024 * 9 * 16 * 16;
        let second = 256 * 9 * (16 * 32 + 32 * 32) + 256 * 16 * 32;
        let third = 64 * 9 * (32 * 64 + 64 * 64) + 64 * 32 * 64;
        let expected = stem + first + second + third + 64 * 100;
        assert_eq!(info("resnet8").macs, expected);
        // Nobody counts outside.
        assert_eq!(info("resnet8").macs, expected);
    }

    #[test]
    fn the_smallest_images_are_taken_and_smaller_ones_refused() {
        let device = Device::default();
        for name in [
            "resnet8",
            "wrn_16_1",
            "vgg8",
            "repvgg8",
            "shufflenetv1",
            "shufflenetv2",
        ] {
            let architecture = Architecture::by_name(name).expect("a known name");
            let smallest = architecture.0.blueprint.smallest_size();
            // Height and width apart, so that neither is forgotten.
            for input in [[3, smallest, 9], [3, 9, smallest]] {
                assert!(architecture.check_input(input).is_ok(), "{name}");
                assert_eq!(architecture.info(10, input, &device).input, input);
            }
            assert!(architecture.check_input([3, smallest - 1, 9]).is_err());
            assert!(architecture.check_input([3, 9, smallest - 1]).is_err());
        }
        let vgg = Architecture::by_name("vgg8-imagenet").expect("a known name");
        vgg.info(10, [3, 32, 32], &device);
        let message = vgg.check_input([3, 31, 32]).map_err(|e| e.to_string());
        assert_eq!(
            message.expect_err("too small"),
            "vgg8-imagenet: images of [3, 31, 32] (channels, height, width), expected 3 channels \
             and 32 to 2048 pixels a side"
        );
        assert!(vgg.check_input([1, 32, 32]).is_err());
        assert!(vgg.check_input([3, 32, 2049]).is_err());
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
