//! Losses of feature maps and vectors, sample by sample.
//!
//! They need stages that correspond. Most bring the student's map to the teacher's shape by layers
//! that are trained with it ([`adapters`](crate::adapters)).
//!
//! | method | the student matches | cost | parameters | when |
//! |---|---|---|---|---|
//! | `hint` ([`HintLoss`]) | one map, value by value | a convolution | one convolution | one map is to be followed exactly |
//! | `at` ([`AtLoss`]) | where each stage has its energy | a sum over each map | none | same family, thin students |
//! | `nst` ([`NstLoss`]) | which neurons fire together | Gram matrices of the channels | none | channels mean something, their order does not |
//! | `ft` ([`FtLoss`]) | a compressed form of one map | convolutions on one map | paraphraser, translator | time for a phase of pretraining |
//! | `ab` ([`AbLoss`]) | which neurons are active | a comparison | connectors | as pretraining, before training by labels |
//! | `vid` ([`VidLoss`]) | the maps, as far as they can be predicted | 1×1 convolutions on all stages | three a stage | stages differ in what they hold |
//! | `ofd` ([`OfdLoss`]) | maps before the activation, clipped | a connector | one connector (one a stage by `mdistiller`) | teachers that end stages in a ReLU |
//! | `afd` ([`AfdLoss`]) | maps, channels weighted by the teacher | a squeeze of one map | a small network | few channels matter |
//! | `reviewkd` ([`ReviewKdLoss`]) | each stage from all deeper ones | convolutions on all stages | a few a stage | the best of the feature methods, if its cost is affordable |
//! | `semckd` ([`SemCkdLoss`]) | all stages of the teacher, weighted by similarity | convolutions for every pair of stages | many | stages that do not correspond |
//! | `srrl` ([`SrrlLoss`]) | what the teacher's classifier makes of it | one matrix | one matrix and a batch norm | same classes, any architecture |

mod ab;
mod afd;
mod at;
mod ft;
mod hint;
mod nst;
mod ofd;
mod reviewkd;
mod semckd;
mod srrl;
mod vid;

pub use ab::{AbConvention, AbLoss, AbLossConfig};
pub use afd::{AfdLoss, AfdLossConfig};
pub use at::{AtConvention, AtLoss, AtLossConfig};
pub use ft::{FtConvention, FtLoss, FtLossConfig};
pub use hint::{HintLoss, HintLossConfig};
pub use nst::{NstLoss, NstLossConfig};
pub use ofd::{OfdConvention, OfdLoss, OfdLossConfig};
pub use reviewkd::{ReviewKdLoss, ReviewKdLossConfig};
pub use semckd::{SemCkdLoss, SemCkdLossConfig};
pub use srrl::{SrrlLoss, SrrlLossConfig};
pub use vid::{VidConvention, VidLoss, VidLossConfig, VidPredictor};
