//! What the reference repositories mean by their names.

use serde::{Deserialize, Serialize};

use crate::{Architecture, ModelError};

/// A repository whose names of networks are known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Repository {
    /// spot-adaptive-pytorch.
    Sakd,
    /// RepDistiller.
    RepDistiller,
    /// ASKD.
    Askd,
    /// KDrefine.
    KdRefine,
    /// Knowledge-Distillation-Zoo.
    Zoo,
    /// mdistiller's CIFAR-100 networks.
    Mdistiller,
    /// mdistiller's ImageNet networks.
    MdistillerImagenet,
}

impl Architecture {
    /// The network that a repository calls by this name, where two repositories mean different
    /// networks by the same one:
    ///
    /// - `MobileNetV2` is of width 1 in SAKD and of width 0.5 elsewhere;
    /// - the Zoo's `resnet20` and `resnet110` name their parameters differently;
    /// - mdistiller's ImageNet networks are torchvision's.
    ///
    /// # Errors
    ///
    /// As [`Architecture::by_name`], which answers all other names.
    pub fn by_name_in(repository: Repository, name: &str) -> Result<Architecture, ModelError> {
        let own = match (repository, name) {
            (Repository::Sakd, "MobileNetV2") => "mobilenetv2_100",
            (Repository::Zoo, "resnet20") => "zoo_resnet20",
            (Repository::Zoo, "resnet110") => "zoo_resnet110",
            (Repository::MdistillerImagenet, "ResNet18") => "resnet18-imagenet",
            (Repository::MdistillerImagenet, "ResNet34") => "resnet34-imagenet",
            (Repository::MdistillerImagenet, "ResNet50") => "resnet50-imagenet",
            _ => name,
        };
        Architecture::by_name(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_what_its_repository_means() {
        let meant = |repository, name| {
            Architecture::by_name_in(repository, name).map(|architecture| architecture.name())
        };
        let own = |name| meant(Repository::RepDistiller, name).expect("a known name");
        assert_eq!(own("MobileNetV2"), "mobilenetv2_050");
        assert_eq!(own("ResNet50"), "ResNet50");
        assert_eq!(own("ShuffleV1"), "shufflenetv1");
        assert_eq!(own("vgg13_bn"), "vgg13");
        let found = meant(Repository::Sakd, "MobileNetV2").expect("a known name");
        assert_eq!(found, "mobilenetv2_100");
        let found = meant(Repository::MdistillerImagenet, "ResNet50").expect("a known name");
        assert_eq!(found, "resnet50-imagenet");
        assert!(meant(Repository::Zoo, "resnet9").is_err());
    }
}
