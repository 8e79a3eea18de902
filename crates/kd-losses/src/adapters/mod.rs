//! Layers between a student's features and a teacher's, trained together with the student and
//! thrown away afterwards.

mod connector;
mod cross_layer;
mod embed;
mod fusion;
mod regressor;

pub use connector::{Connector, ConnectorConfig};
pub use cross_layer::{CrossLayerRegressor, CrossLayerRegressorConfig};
pub use embed::{Embed, EmbedConfig, MlpEmbed, MlpEmbedConfig, normalize};
pub use fusion::{Fused, Fusion, FusionConfig};
pub use regressor::{Regressor, RegressorConfig, RegressorConv};
