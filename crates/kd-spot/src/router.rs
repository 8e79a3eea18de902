//! Policy and grafted network in one.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor};
use kd_core::{Feature, FeatureShapes, Features, Network};
use kd_losses::cross_entropy;
use kd_nn::Draws;

use crate::{
    Cuts, Gates, Graft, GraftConfig, Policy, PolicyConfig, SpotError, hard_gumbel_softmax,
    routing_objective,
};

/// Configuration of a [`Router`].
#[derive(Config, Debug)]
pub struct RouterConfig {
    /// Temperature of the gates: the higher, the smaller the policy's gradients.
    #[config(default = 5.0)]
    pub temperature: f64,
    /// Factor of the [routing objective](crate::routing_objective).
    #[config(default = 1.0)]
    pub gamma: f64,
    /// Added to the policy's initial logits in favor of the teacher: at 10, distillation starts at
    /// all spots.
    #[config(default = 0.0)]
    pub bias: f64,
    /// Whether samples are distilled where the policy takes the student.
    #[config(default = false)]
    pub anti: bool,
}

/// What chooses where to distill, and learns to: a policy, and the adapters of the grafted network
/// that it is trained on.
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use kd_losses::logits::KdLossConfig;
/// use kd_losses::{Site, cross_entropy};
/// use kd_models::{Architecture, Network};
/// use kd_spot::{Cuts, RouterConfig};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let device = Device::flex().autodiff();
/// let student = Architecture::by_name("resnet8")?.init(10, &device);
/// let teacher = Architecture::by_name("vgg8")?.init(10, &Device::flex());
/// let shapes = (
///     student.feature_shapes([3, 32, 32], &device),
///     teacher.feature_shapes([3, 32, 32], &device),
/// );
/// let cuts = Cuts::at(&[Site::EachStage], &shapes.0, &shapes.1)?;
/// let router = RouterConfig::new().init(cuts, &shapes.0, &shapes.1, &device)?;
///
/// let images = Tensor::random([2, 3, 32, 32], Distribution::Default, &device);
/// let labels = Tensor::from_ints([3, 7], &device);
/// # use burn::module::Module;
/// let teacher = teacher.valid();
/// let wanted = teacher.features(images.clone().inner());
/// let found = student.features(images.clone());
/// let gates = router.choose(found.pooled.clone(), wanted.pooled.clone(), None);
///
/// let ce = cross_entropy(found.logits.clone(), labels.clone());
/// let gate = gates.last();
/// let kd = KdLossConfig::new().init()?;
/// let kd = kd.forward_gated(found.logits.clone(), wanted.logits.clone(), &gate);
/// let kd = gate.times_share(kd);
/// let networks = (&student, &teacher);
/// let grafted = router.grafted(&gates, networks, images, Some(&wanted));
/// let objective = router.objective(&gates, grafted, labels, ce.clone());
/// // One backward pass trains student and router: neither's loss depends on the other's weights.
/// let gradients = (ce + kd + objective).backward();
/// # assert!(router.policy.net.weight.val().grad(&gradients).is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Module, Debug)]
pub struct Router {
    /// The policy.
    pub policy: Policy,
    /// The adapters.
    pub graft: Graft,
    /// Where the networks are cut.
    #[module(skip)]
    pub cuts: Cuts,
    /// Temperature of the gates.
    pub temperature: f64,
    /// Factor of the routing objective.
    pub gamma: f64,
    /// Whether samples are distilled where the policy takes the student.
    pub anti: bool,
}

impl RouterConfig {
    /// Initializes policy and adapters for two networks cut at these places.
    ///
    /// # Errors
    ///
    /// [`SpotError::Parameter`] if the temperature or gamma is not a positive finite number, or the
    /// bias is not finite; else as [`GraftConfig::at`] and [`GraftConfig::init`].
    pub fn init(
        &self,
        cuts: Cuts,
        student: &FeatureShapes,
        teacher: &FeatureShapes,
        device: &Device,
    ) -> Result<Router, SpotError> {
        for (parameter, value) in [("temperature", self.temperature), ("gamma", self.gamma)] {
            if !(value.is_finite() && value > 0.0) {
                let expected = "a positive finite number";
                return Err(SpotError::parameter(parameter, value, expected));
            }
        }
        if !self.bias.is_finite() {
            return Err(SpotError::parameter("bias", self.bias, "a finite number"));
        }
        let config = PolicyConfig::new(student.pooled, teacher.pooled, cuts.spots());
        let mut policy = config.init(device);
        if self.bias != 0.0 {
            policy.net.bias = policy.net.bias.map(|bias| in_favor(bias, self.bias));
        }
        Ok(Router {
            policy,
            graft: GraftConfig::at(&cuts, student, teacher)?.init(device)?,
            cuts,
            temperature: self.temperature,
            gamma: self.gamma,
            anti: self.anti,
        })
    }
}

/// Adds to the logits of the teacher: every other one.
fn in_favor(bias: Param<Tensor<1>>, amount: f64) -> Param<Tensor<1>> {
    bias.init_mapper(move |bias| {
        let tracked = bias.is_autodiff();
        let bias = bias.inner();
        let places = Tensor::<1, Int>::arange(0..bias.dims()[0] as i64, &bias.device());
        let teachers = places.remainder_scalar(2).equal_elem(0).float() * amount;
        let bias = bias + teachers;
        match tracked {
            true => Tensor::from_inner(bias).require_grad(),
            false => bias,
        }
    })
}

impl Router {
    /// Chooses for a batch, with noise from `draws`, or of the device's own generator.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, features]`, its pooled feature
    /// - teacher: `[batch, features]`, its pooled feature
    pub fn choose(&self, student: Tensor<2>, teacher: Tensor<2>, draws: Option<&Draws>) -> Gates {
        let logits = self.policy.forward(student, teacher);
        let uniform = kd_nn::uniform(draws, 0, logits.dims(), &logits.device());
        self.choose_from(logits, uniform)
    }

    /// Chooses from logits of the policy and given noise.
    ///
    /// # Shapes
    ///
    /// - logits: `[batch, spots, 2]`
    /// - uniform: `[batch, spots, 2]`, in `[0, 1]`
    pub fn choose_from(&self, logits: Tensor<3>, uniform: Tensor<3>) -> Gates {
        let actions = hard_gumbel_softmax(logits, uniform, self.temperature);
        let shares = actions.narrow(2, 0, 1).squeeze_dim(2);
        Gates::of_shares(shares, self.anti)
    }

    /// Logits `[batch, classes]` of the grafted network: see [`Graft::forward`].
    ///
    /// The student comes as it is trained, and is taken in evaluation with its batch norms folded.
    /// `soft` are the teacher's features of the images, of which the one at the first cut is not
    /// computed again; they are `None` for a teacher that is trained too, whose parameters are in the
    /// graph.
    ///
    /// # Panics
    ///
    /// If the gates are not this router's, or the networks not those that it was made for.
    pub fn grafted<S: Network, T: Network>(
        &self,
        gates: &Gates,
        (student, teacher): (&S, &T),
        images: Tensor<4>,
        soft: Option<&Features>,
    ) -> Tensor<2> {
        let shares = gates.shares();
        let student = student.for_inference();
        let (_, stage) = self.cuts.stages(0);
        let first = soft.map(|soft| match soft.maps.get(stage) {
            Some(map) => Feature::from(map.clone()),
            None => Feature::from(soft.pooled.clone()),
        });
        let networks = (&student, teacher);
        self.graft
            .forward(&self.cuts, networks, images, first, shares.clone())
    }

    /// The [routing objective](crate::routing_objective) of a batch, `[1]`. Its gradients go to the
    /// router alone (and to a teacher that is trained), never to the student.
    ///
    /// # Shapes
    ///
    /// - grafted: `[batch, classes]`, the logits of the [grafted network](Self::grafted)
    /// - labels: `[batch]`
    /// - own: `[1]`, the student's cross-entropy
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the gates are not this router's.
    pub fn objective(
        &self,
        gates: &Gates,
        grafted: Tensor<2>,
        labels: Tensor<1, Int>,
        own: Tensor<1>,
    ) -> Tensor<1> {
        let shares = gates.shares().clone();
        let [_, spots] = shares.dims();
        let last = shares.narrow(1, spots - 1, 1).squeeze_dim(1);
        routing_objective(cross_entropy(grafted, labels), own, last, self.gamma)
    }
}
