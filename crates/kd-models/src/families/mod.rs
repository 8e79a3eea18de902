//! The networks, one file a family.

mod mobilenet_v1;
mod mobilenet_v2;
mod resnet;
mod shufflenet_v1;
mod shufflenet_v2;
mod vgg;
mod wrn;

pub use mobilenet_v1::{MobilenetV1, MobilenetV1Config};
pub use mobilenet_v2::{MobilenetV2, MobilenetV2Config};
pub use resnet::{Resnet, ResnetConfig, ResnetNaming, ResnetStem};
pub use shufflenet_v1::{ShufflenetV1, ShufflenetV1Config};
pub use shufflenet_v2::{ShufflenetV2, ShufflenetV2Config};
pub use vgg::{Vgg, VggConfig, VggHead, VggPooling};
pub use wrn::{WideResnet, WideResnetConfig};
