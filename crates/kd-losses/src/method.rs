//! The registry of methods.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::suggest::nearest;
use crate::{
    AfdConfig, AfdLoss, AskdConfig, AskdLoss, AttentionConfig, AttentionLoss, BoundaryConfig,
    BoundaryLoss, BssConfig, BssLoss, CorrelationConfig, CorrelationLoss, CrdConfig, CrdLoss,
    DkdConfig, DkdLoss, DmlConfig, DmlLoss, FactorConfig, FactorLoss, FspConfig, FspLoss,
    HintConfig, HintLoss, IrgConfig, IrgLoss, KdMethod, KdRefineConfig, KdRefineLoss, KdSvdConfig,
    KdSvdLoss, LogitsRegressionConfig, LogitsRegressionLoss, LossError, LossWeights, LwmConfig,
    LwmLoss, MethodInfo, NoTerm, NstConfig, NstLoss, OfdConfig, OfdLoss, PktConfig, PktLoss, Place,
    Reads, ReviewKdConfig, ReviewKdLoss, RkdConfig, RkdLoss, SemCkdConfig, SemCkdLoss, Setup,
    SimilarityConfig, SimilarityLoss, SobolevConfig, SobolevLoss, SrrlConfig, SrrlLoss, Step,
    VidConfig, VidLoss,
};

/// What the configuration of a method gives to the registry.
pub(crate) trait Register: Default {
    /// The description; its name and aliases are those of the line in `methods!`.
    const INFO: MethodInfo;
    /// The loss with its adapters.
    type Loss: Term;

    /// Default weights of these parameters: a convention may have its own.
    fn weights(&self) -> LossWeights {
        Self::INFO.weights
    }

    /// Where in the networks the method acts.
    fn place(&self) -> Place {
        let info = Self::INFO;
        match info.reads {
            Reads::Logits => Place::Logits,
            Reads::Pooled => Place::Pooled,
            // What is differentiated is made of the logits.
            Reads::Maps if info.needs.networks => Place::Logits,
            Reads::Maps => Place::Map(None),
        }
    }

    /// Checks the shapes and initialises the adapters.
    fn build(&self, setup: &Setup, device: &Device) -> Result<Self::Loss, LossError>;
}

/// What an initialised method gives to the registry.
pub(crate) trait Term {
    /// The method's own term, if it has one.
    fn term(&self, step: &Step<'_>) -> Option<Tensor<1>>;

    /// The loss of the method's preliminary phase, if it has one.
    fn preliminary(&self, _step: &Step<'_>) -> Option<Tensor<1>> {
        None
    }

    /// Number of places at which the method acts, each with a gate of its own.
    fn spots(&self, _stages: usize) -> usize {
        1
    }
}

macro_rules! methods {
    ($(
        $(#[$doc:meta])*
        $name:literal $(or $alias:literal)* => $variant:ident($config:ident => $loss:ident);
    )+) => {
        /// A method of distillation and its parameters.
        ///
        /// Reads and writes as `{ name: at, p: 2 }`: parameters that are left out take their
        /// defaults, and unknown ones are refused by name.
        ///
        /// ```
        /// use kd_losses::{AttentionConfig, Method};
        ///
        /// let method: Method = serde_json::from_str(r#"{"name": "at", "p": 4}"#)?;
        /// assert_eq!(method, Method::At(AttentionConfig::new().with_p(4)));
        /// # Ok::<(), serde_json::Error>(())
        /// ```
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "name")]
        #[non_exhaustive]
        pub enum Method {
            $(
                $(#[$doc])*
                #[serde(rename = $name $(, alias = $alias)*)]
                $variant($config),
            )+
        }

        /// An initialised [`Method`]: its adapters are trained together with the student and
        /// thrown away afterwards.
        // There is one of them in a whole run: its size does not matter.
        #[allow(clippy::large_enum_variant)]
        #[derive(Module, Debug)]
        #[non_exhaustive]
        pub enum MethodLoss {
            $(
                $(#[$doc])*
                $variant($loss),
            )+
        }

        impl Method {
            /// All methods with their default parameters.
            pub fn all() -> Vec<Method> {
                vec![$(Method::$variant($config::default())),+]
            }

            /// The description of the method.
            pub fn info(&self) -> MethodInfo {
                match self {
                    $(Method::$variant(config) => MethodInfo {
                        weights: config.weights(),
                        ..$config::INFO
                    },)+
                }
            }

            /// Where in the networks the method acts.
            pub fn place(&self) -> Place {
                match self {
                    $(Method::$variant(config) => config.place(),)+
                }
            }

            /// Initialises the method for a pair of networks.
            ///
            /// The device is the one that the student trains on; adapters are trained if it is
            /// an autodiff device.
            ///
            /// # Errors
            ///
            /// If the method cannot compare features of these shapes, if a parameter is out of
            /// range, or if the setup lacks something that the method needs.
            pub fn init(&self, setup: &Setup, device: &Device) -> Result<MethodLoss, LossError> {
                match self {
                    $(Method::$variant(config) => config
                        .build(setup, device)
                        .map(MethodLoss::$variant),)+
                }
            }
        }

        impl MethodLoss {
            /// The method's own term, unweighted, of shape `[1]`; `None` for a method that has
            /// none, as `kd`, whose divergence of logits is a part of every distillation loss
            /// (see [`KdLoss`](crate::KdLoss)).
            ///
            /// The teacher's features are constants. Nothing is read back to the host.
            ///
            /// # Panics
            ///
            /// If the features have not the shapes that the method was initialised for, or if
            /// the step lacks something that the method needs (labels, for example).
            pub fn forward(&self, step: &Step<'_>) -> Option<Tensor<1>> {
                self.check(step);
                match self {
                    $(MethodLoss::$variant(loss) => loss.term(step),)+
                }
            }

            /// The loss that a preliminary phase of training minimises, of shape `[1]`; `None`
            /// for a method that has no such phase ([`MethodInfo::preliminary`]).
            ///
            /// # Panics
            ///
            /// As [`forward`](Self::forward).
            pub fn preliminary(&self, step: &Step<'_>) -> Option<Tensor<1>> {
                self.check(step);
                match self {
                    $(MethodLoss::$variant(loss) => loss.preliminary(step),)+
                }
            }

            #[track_caller]
            fn check(&self, step: &Step<'_>) {
                let name = match self {
                    $(MethodLoss::$variant(_) => $name,)+
                };
                step.check(name, self.spots(step.teacher.maps.len().saturating_sub(1)));
            }

            /// Number of spots at which the method acts in networks of `stages` stages after the
            /// stem: it takes a gate for each.
            pub fn spots(&self, stages: usize) -> usize {
                match self {
                    $(MethodLoss::$variant(loss) => loss.spots(stages),)+
                }
            }
        }
    };
}

// One line a method.
methods! {
    /// Softened logits: [`KdMethod`].
    "kd" or "st" or "soft_target" => Kd(KdMethod => NoTerm);
    /// Standardised logits with a cross-entropy of their own: [`KdRefineLoss`].
    "kdrefine" => KdRefine(KdRefineConfig => KdRefineLoss);
    /// Target and other classes apart: [`DkdLoss`].
    "dkd" => Dkd(DkdConfig => DkdLoss);
    /// The logits themselves: [`LogitsRegressionLoss`].
    "logits" => Logits(LogitsRegressionConfig => LogitsRegressionLoss);
    /// The probabilities of a peer: [`DmlLoss`].
    "dml" => Dml(DmlConfig => DmlLoss);
    /// One feature map, through a regressor: [`HintLoss`].
    "hint" or "fitnet" => Hint(HintConfig => HintLoss);
    /// Attention maps of all stages: [`AttentionLoss`].
    "at" or "attention" => At(AttentionConfig => AttentionLoss);
    /// Where neurons respond, at all stages: [`NstLoss`].
    "nst" or "selectivity" => Nst(NstConfig => NstLoss);
    /// Maps predicted, with a variance: [`VidLoss`].
    "vid" or "variational" => Vid(VidConfig => VidLoss);
    /// A compressed form of one map: [`FactorLoss`].
    "ft" or "factor" => Factor(FactorConfig => FactorLoss);
    /// Which neurons are active: [`BoundaryLoss`].
    "ab" or "boundary" => Boundary(BoundaryConfig => BoundaryLoss);
    /// What the teacher's classifier makes of the student's vector: [`SrrlLoss`].
    "srrl" or "softmax_regression" => Srrl(SrrlConfig => SrrlLoss);
    /// Maps before the activation, with margins: [`OfdLoss`].
    "ofd" or "overhaul" => Ofd(OfdConfig => OfdLoss);
    /// Channels weighted by the teacher: [`AfdLoss`].
    "afd" => Afd(AfdConfig => AfdLoss);
    /// Each stage from all deeper ones: [`ReviewKdLoss`].
    "reviewkd" or "review" => ReviewKd(ReviewKdConfig => ReviewKdLoss);
    /// All stages of the teacher, by similarity: [`SemCkdLoss`].
    "semckd" or "semantic" => SemCkd(SemCkdConfig => SemCkdLoss);
    /// Which samples are similar: [`SimilarityLoss`].
    "sp" or "similarity" => Similarity(SimilarityConfig => SimilarityLoss);
    /// Distances and angles between samples: [`RkdLoss`].
    "rkd" or "relational" => Rkd(RkdConfig => RkdLoss);
    /// Whom a sample takes for its neighbour: [`PktLoss`].
    "pkt" => Pkt(PktConfig => PktLoss);
    /// Relations between neighbouring samples: [`CorrelationLoss`].
    "cc" or "correlation" => Correlation(CorrelationConfig => CorrelationLoss);
    /// Contrasts with a bank of all samples: [`CrdLoss`].
    "crd" or "contrastive" => Crd(CrdConfig => CrdLoss);
    /// Samples, distances, and how layers change them: [`IrgLoss`].
    "irg" => Irg(IrgConfig => IrgLoss);
    /// How one stage leads to the next: [`FspLoss`].
    "fsp" or "flow" => Fsp(FspConfig => FspLoss);
    /// Singular vectors of adjacent maps: [`KdSvdLoss`].
    "kdsvd" or "svd" => KdSvd(KdSvdConfig => KdSvdLoss);
    /// Distances between regions and between classes: [`AskdLoss`].
    "askd" => Askd(AskdConfig => AskdLoss);
    /// Logits of attacked images: [`BssLoss`].
    "bss" => Bss(BssConfig => BssLoss);
    /// Gradients with respect to the images: [`SobolevLoss`].
    "sobolev" => Sobolev(SobolevConfig => SobolevLoss);
    /// Where a label is seen, by Grad-CAM: [`LwmLoss`].
    "lwm" => Lwm(LwmConfig => LwmLoss);
}

impl Method {
    /// The method of this name or alias, in any case of letters, with its default parameters.
    ///
    /// # Errors
    ///
    /// [`LossError::UnknownMethod`], which lists the known names and the nearest one.
    pub fn by_name(name: &str) -> Result<Method, LossError> {
        let all = Self::all();
        let known: Vec<_> = all.iter().map(Method::name).collect();
        let aliases = all.iter().flat_map(|method| method.info().aliases);
        let nearest = nearest(name, known.iter().chain(aliases).copied());
        let error = LossError::UnknownMethod {
            name: name.to_owned(),
            suggestion: nearest.map(str::to_owned),
            known: known.join(", "),
        };
        all.into_iter()
            .find(|method| {
                let info = method.info();
                std::iter::once(&info.name)
                    .chain(info.aliases)
                    .any(|own| own.eq_ignore_ascii_case(name))
            })
            .ok_or(error)
    }

    /// The name in recipes.
    pub fn name(&self) -> &'static str {
        self.info().name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FeatureShapes;
    use serde_json::{Value, json};

    fn shapes(maps: &[[usize; 3]]) -> FeatureShapes {
        FeatureShapes {
            maps: maps.to_vec(),
            pooled: maps.last().map_or(0, |map| map[0]),
            classes: 3,
        }
    }

    const SMALL: [[usize; 3]; 4] = [[2, 4, 4], [2, 4, 4], [3, 2, 2], [4, 1, 1]];
    const LARGE: [[usize; 3]; 4] = [[4, 4, 4], [4, 4, 4], [6, 2, 2], [8, 1, 1]];

    #[test]
    fn every_description_agrees_with_what_is_read_and_written() {
        for method in Method::all() {
            let info = method.info();
            let written = serde_json::to_value(&method).expect("JSON");
            assert_eq!(written["name"], info.name);
            let mut described = json!({ "name": info.name });
            for parameter in info.parameters {
                described[parameter.name] =
                    serde_json::from_str(parameter.default).expect("a JSON default");
            }
            assert_eq!(written, described, "{}", info.name);

            for name in std::iter::once(&info.name).chain(info.aliases) {
                assert_eq!(Method::by_name(name).as_ref(), Ok(&method));
                let read: Method =
                    serde_json::from_value(json!({ "name": name })).expect("a method");
                assert_eq!(read, method, "{name}");
            }
            // Some papers are at the conference or the workshop only.
            assert!(info.paper.contains("https://"), "{}", info.name);
        }
    }

    #[test]
    fn parameters_left_out_take_their_defaults() {
        let method: Method = serde_json::from_value(json!({ "name": "at", "p": 1 })).expect("at");
        assert_eq!(method, Method::At(AttentionConfig::new().with_p(1)));
        let method: Method =
            serde_json::from_value(json!({ "name": "fitnet", "use_relu": false })).expect("hint");
        assert_eq!(method, Method::Hint(HintConfig::new().with_use_relu(false)));
    }

    #[test]
    fn unknown_parameters_are_refused_by_name_for_every_method() {
        for method in Method::all() {
            let mut value: Value = serde_json::to_value(&method).expect("JSON");
            value["foo"] = json!(1);
            let error = serde_json::from_value::<Method>(value)
                .expect_err("unknown parameter")
                .to_string();
            assert!(error.contains("unknown field `foo`"), "{error}");
        }
    }

    #[test]
    fn yaml_reads_the_same() {
        let read = serde_saphyr::from_str::<Method>;
        assert_eq!(
            read("{ name: at, p: 4, convention: zoo }").ok(),
            Some(Method::At(
                AttentionConfig::new()
                    .with_p(4)
                    .with_convention(crate::AttentionConvention::Zoo)
            ))
        );
        assert_eq!(read("name: kd").ok(), Some(Method::Kd(KdMethod {})));
        let error = read("{ name: at, foo: 1 }")
            .expect_err("unknown")
            .to_string();
        assert!(error.contains("unknown field `foo`"), "{error}");
        let error = read("{ name: kd, foo: 1 }")
            .expect_err("unknown")
            .to_string();
        assert!(error.contains("foo"), "{error}");
        let error = read("{ name: att }").expect_err("unknown").to_string();
        assert!(error.contains("att") && error.contains("hint"), "{error}");
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones_and_the_nearest() {
        let message = |name| Method::by_name(name).expect_err("unknown").to_string();
        let known: Vec<_> = Method::all().iter().map(Method::name).collect();
        let known = known.join(", ");
        assert_eq!(
            message("attn"),
            format!("unknown method `attn`: did you mean `attention`? known methods are {known}")
        );
        assert_eq!(
            message("distillation"),
            format!("unknown method `distillation`: known methods are {known}")
        );
        assert_eq!(Method::by_name("AT"), Method::by_name("attention"));
    }

    #[test]
    fn infos_serialise_for_a_list() {
        let infos: Vec<_> = Method::all().iter().map(Method::info).collect();
        let list = serde_json::to_value(infos).expect("JSON");
        let of = |name: &str| {
            let list = list.as_array().expect("a list");
            let info = list.iter().find(|info| info["name"] == name);
            info.expect("a description").clone()
        };
        assert_eq!(list[0]["name"], "kd");
        assert_eq!(
            of("hint")["weights"],
            json!({"ce": 1.0, "kd": 0.0, "method": 100.0})
        );
        assert_eq!(of("at")["parameters"][0]["name"], "p");
    }

    #[test]
    fn only_the_hint_learns() {
        let device = Device::default();
        let learned = |name| {
            Method::by_name(name)
                .and_then(|method| {
                    method.init(&Setup::new(shapes(&SMALL), shapes(&LARGE)), &device)
                })
                .expect("a loss")
                .num_params()
        };
        assert_eq!(learned("kd"), 0);
        assert_eq!(learned("at"), 0);
        // 1x1 convolution 3 to 6, and four vectors of the batch norm.
        assert_eq!(learned("hint"), 3 * 6 + 6 + 4 * 6);
    }

    #[test]
    fn stages_that_are_not_there_are_named() {
        let device = Device::default();
        let (student, teacher) = (shapes(&SMALL), shapes(&LARGE[..3]));
        let message = |method: Method| {
            method
                .init(&Setup::new(student.clone(), teacher.clone()), &device)
                .expect_err("a mistake")
                .to_string()
        };
        assert_eq!(
            message(Method::At(AttentionConfig::new())),
            "at compares stages in pairs, but the student has 3 after the stem and the teacher 2"
        );
        assert_eq!(
            message(Method::Hint(HintConfig::new().with_stage(3))),
            "hint acts at stage 3, but the teacher has maps of stages 0 to 2 only"
        );
        assert_eq!(
            message(Method::Hint(HintConfig::new().with_stage(4))),
            "hint acts at stage 4, but the student has maps of stages 0 to 3 only"
        );
    }
}
