//! Methods that compare feature maps, or vectors, sample by sample.

mod attention;
mod hint;

pub use attention::{AttentionConfig, AttentionConvention, AttentionLoss};
pub use hint::{HintConfig, HintLoss};

mod selectivity;

pub use selectivity::{NstConfig, NstLoss};

mod vid;

pub use vid::{VidConfig, VidConvention, VidLoss, VidPredictor};

mod afd;
mod semckd;

pub use afd::{AfdConfig, AfdLoss};
pub use semckd::{SemCkdConfig, SemCkdLoss};

mod reviewkd;

pub use reviewkd::{ReviewKdConfig, ReviewKdLoss};

mod ofd;

pub use ofd::{OfdConfig, OfdConvention, OfdLoss};

mod boundary;
mod factor;
mod srrl;

pub use boundary::{BoundaryConfig, BoundaryConvention, BoundaryLoss};
pub use factor::{FactorConfig, FactorConvention, FactorLoss};
pub use srrl::{SrrlConfig, SrrlLoss};
