//! Where a number first became infinite or NaN.

use std::fmt;

/// A loss that is infinite or NaN: where and when, and what it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct NonFinite {
    /// The term's name, `total`, `routing`, or `ce` where a network is evaluated.
    pub term: String,
    /// The value.
    pub value: f64,
    /// The step, from 1; where a network is evaluated, the batch.
    pub step: usize,
    /// When it was.
    pub moment: Moment,
    /// What it comes from.
    pub origin: Origin,
    /// The network whose outputs are not finite, or whose loss it is; empty if it is not known.
    pub network: String,
    /// The first of that network's tensors that is not finite; absent if there is none.
    pub tensor: Option<String>,
}

/// When a loss was not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// In an epoch of training, from 1.
    Training(usize),
    /// On the images of evaluation after an epoch, from 1.
    Test(usize),
    /// Where a network is measured outside of any epoch.
    Measured,
}

/// What a loss that is not finite comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The teacher's outputs are not finite.
    Teacher,
    /// The outputs of the network that is trained or evaluated are not finite.
    Network,
    /// All outputs are finite, and the loss makes of them what is not.
    Term,
    /// It is the loss of a phase before the main one, in which outputs are not watched.
    Pretrain,
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            term, value, step, ..
        } = self;
        write!(f, "the loss `{term}` is {value} ")?;
        match self.moment {
            Moment::Training(epoch) => write!(f, "at epoch {epoch}, step {step}")?,
            Moment::Test(epoch) => write!(f, "on the test images after epoch {epoch}")?,
            Moment::Measured => write!(f, "in batch {step} of the images")?,
        }
        let network = match self.network.as_str() {
            "" => "the network".to_owned(),
            name => format!("`{name}`"),
        };
        let tensor = self.tensor.as_ref();
        let tensor =
            tensor.map_or_else(String::new, |key| format!(", whose `{key}` is not either"));
        match self.origin {
            Origin::Teacher => write!(
                f,
                ", because the outputs of the teacher {network} are not finite{tensor}: check its weights with `kd eval`, and data.normalization"
            ),
            Origin::Network => write!(
                f,
                ", because the outputs of {network} are not finite{tensor}: {}",
                self.advice()
            ),
            Origin::Term => write!(
                f,
                ", though all outputs are finite: lower the weight of this loss"
            ),
            Origin::Pretrain => write!(f, ": lower train.pretrain_lr or train.pretrain_weight"),
        }
    }
}

impl NonFinite {
    /// What helps if a network that is trained or evaluated gives such outputs.
    fn advice(&self) -> &'static str {
        match (self.moment, self.step) {
            (Moment::Measured, _) => "check its weights, and the normalization of the images",
            (Moment::Training(1), 1) => "check its initial weights",
            _ => "it diverged; lower the learning rate, or set optimizer.clip_norm",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(moment: Moment, origin: Origin) -> NonFinite {
        NonFinite {
            term: "kd".to_owned(),
            value: f64::NAN,
            step: 3,
            moment,
            origin,
            network: "resnet8".to_owned(),
            tensor: None,
        }
    }

    #[test]
    fn advice_is_for_the_case() {
        let of_teacher = found(Moment::Training(2), Origin::Teacher).to_string();
        assert!(
            of_teacher.starts_with(
                "the loss `kd` is NaN at epoch 2, step 3, because the outputs of the teacher"
            ),
            "{of_teacher}"
        );
        assert!(!of_teacher.contains("rate"), "{of_teacher}");
        let mut of_student = found(Moment::Training(1), Origin::Network);
        assert!(of_student.to_string().contains("lower the learning rate"));
        of_student.tensor = Some("conv1.weight".to_owned());
        of_student.step = 1;
        let at_the_start = of_student.to_string();
        assert!(
            at_the_start.ends_with("whose `conv1.weight` is not either: check its initial weights"),
            "{at_the_start}"
        );
        let of_term = found(Moment::Training(1), Origin::Term).to_string();
        assert!(
            of_term.ends_with("lower the weight of this loss"),
            "{of_term}"
        );
        let measured = found(Moment::Measured, Origin::Network).to_string();
        assert!(measured.contains("in batch 3 of the images"), "{measured}");
        assert!(!measured.contains("rate"), "{measured}");
    }
}
