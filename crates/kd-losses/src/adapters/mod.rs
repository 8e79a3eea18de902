//! Layers between a student's features and a teacher's, trained together with the student and
//! thrown away afterwards.

mod connector;
mod cross_layer;
mod embed;
mod factors;
mod fusion;
mod paraphraser;
mod regressor;
mod translator;

pub use connector::{Connector, ConnectorConfig};
pub use cross_layer::{CrossLayerRegressor, CrossLayerRegressorConfig};
pub use embed::{Embed, EmbedConfig, MlpEmbed, MlpEmbedConfig, normalize};
pub use factors::{FactorConv, FactorLayer};
pub use fusion::{Fused, Fusion, FusionConfig};
pub use paraphraser::{Paraphraser, ParaphraserConfig};
pub use regressor::{Regressor, RegressorConfig, RegressorConv};
pub use translator::{Translator, TranslatorConfig};
