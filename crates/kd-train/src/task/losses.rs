//! The loss of one batch, term by term.

use burn::tensor::Tensor;

/// The losses of a batch, each of shape `[1]`. Where samples are chosen, a term contains the shares
/// of those that are.
#[derive(Clone, Debug)]
pub struct Losses {
    /// Names of the terms that were computed, and their values without weights.
    pub terms: Vec<(String, Tensor<1>)>,
    /// The weighted sum of the terms.
    pub total: Tensor<1>,
    /// The routing objective, on which no other loss depends; absent if no policy chooses.
    pub routing: Option<Tensor<1>>,
}

impl Losses {
    /// Losses of a single term, with weight 1.
    pub fn single(name: impl Into<String>, loss: Tensor<1>) -> Self {
        Self {
            terms: vec![(name.into(), loss.clone())],
            total: loss,
            routing: None,
        }
    }

    /// The value of a term.
    pub fn term(&self, name: &str) -> Option<&Tensor<1>> {
        let mut terms = self.terms.iter();
        terms.find(|(term, _)| term == name).map(|(_, loss)| loss)
    }

    /// What the backward pass starts from: the total, and the routing objective.
    pub fn root(&self) -> Tensor<1> {
        match &self.routing {
            Some(routing) => self.total.clone() + routing.clone(),
            None => self.total.clone(),
        }
    }
}

/// Terms as they are added up.
#[derive(Default)]
pub(super) struct WeightedSum {
    terms: Vec<(String, Tensor<1>)>,
    total: Option<Tensor<1>>,
}

impl WeightedSum {
    /// Adds a term with its weight.
    pub(super) fn add(&mut self, label: String, loss: Tensor<1>, weight: f64) {
        let weighted = loss.clone() * weight;
        self.total = Some(match self.total.take() {
            Some(total) => total + weighted,
            None => weighted,
        });
        self.terms.push((label, loss));
    }

    /// The losses.
    ///
    /// # Panics
    ///
    /// If there is no term.
    #[track_caller]
    pub(super) fn finish(self) -> Losses {
        let Some(total) = self.total else {
            panic!("the loss has no term with a weight");
        };
        Losses {
            terms: self.terms,
            total,
            routing: None,
        }
    }
}
