//! The registry of methods.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::gradients::{
    BssLoss, BssLossConfig, LwmLoss, LwmLossConfig, SobolevLoss, SobolevLossConfig,
};
use crate::info::Register;
use crate::logits::{
    CeLoss, CeLossConfig, DkdLoss, DkdLossConfig, DmlLoss, DmlLossConfig, KdLoss, KdLossConfig,
    KdRefineLoss, KdRefineLossConfig, LogitsLoss, LogitsLossConfig,
};
use crate::maps::{
    AbLoss, AbLossConfig, AfdLoss, AfdLossConfig, AtLoss, AtLossConfig, FtLoss, FtLossConfig,
    HintLoss, HintLossConfig, NstLoss, NstLossConfig, OfdLoss, OfdLossConfig, ReviewKdLoss,
    ReviewKdLossConfig, SemCkdLoss, SemCkdLossConfig, SrrlLoss, SrrlLossConfig, VidLoss,
    VidLossConfig,
};
use crate::relations::{
    AskdLoss, AskdLossConfig, CcLoss, CcLossConfig, CrdLoss, CrdLossConfig, FspLoss, FspLossConfig,
    IrgLoss, IrgLossConfig, KdSvdLoss, KdSvdLossConfig, PktLoss, PktLossConfig, RkdLoss,
    RkdLossConfig, SpLoss, SpLossConfig,
};
use crate::suggest::nearest;
use crate::{
    DistillationLoss, LossConfig, LossError, MethodInfo, Pretrain, Requirements, Setup, Site, Step,
};

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
        /// use kd_losses::Method;
        /// use kd_losses::maps::AtLossConfig;
        ///
        /// let method: Method = serde_json::from_str(r#"{"name": "at", "p": 4}"#)?;
        /// assert_eq!(method, Method::At(AtLossConfig::new().with_p(4)));
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

        /// An initialized [`Method`]: its adapters are trained together with the student and
        /// thrown away afterwards.
        // There are a few of them in a run: their size does not matter.
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

            /// The name in recipes.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Method::$variant(_) => $name,)+
                }
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
        }

        #[cfg(feature = "schema")]
        impl Method {
            /// What each method reads, without its name.
            pub(crate) fn schemas(
                generator: &mut schemars::SchemaGenerator,
            ) -> Vec<(MethodInfo, schemars::Schema)> {
                use schemars::JsonSchema;
                vec![$(($config::INFO, $config::json_schema(generator))),+]
            }
        }

        impl LossConfig for Method {
            type Loss = MethodLoss;

            fn name(&self) -> &str {
                Method::name(self)
            }

            fn requirements(&self) -> Requirements {
                match self {
                    $(Method::$variant(config) => config.requirements(),)+
                }
            }

            fn pretrain(&self) -> Pretrain {
                match self {
                    $(Method::$variant(config) => config.pretrain(),)+
                }
            }

            fn build(&self, setup: &Setup, device: &Device) -> Result<MethodLoss, LossError> {
                match self {
                    $(Method::$variant(config) => config
                        .build(setup, device)
                        .map(MethodLoss::$variant),)+
                }
            }
        }

        impl MethodLoss {
            /// The name of the method.
            pub fn name(&self) -> &'static str {
                match self {
                    $(MethodLoss::$variant(_) => $name,)+
                }
            }
        }

        impl DistillationLoss for MethodLoss {
            fn term(&self, step: &Step<'_>) -> Tensor<1> {
                step.check(self.name());
                match self {
                    $(MethodLoss::$variant(loss) => loss.term(step),)+
                }
            }

            fn pretrain(&self, step: &Step<'_>) -> Option<Tensor<1>> {
                step.check(self.name());
                match self {
                    $(MethodLoss::$variant(loss) => loss.pretrain(step),)+
                }
            }
        }
    };
}

// One line a method.
methods! {
    /// The labels: [`CeLoss`].
    "ce" or "cross_entropy" => Ce(CeLossConfig => CeLoss);
    /// Softened logits: [`KdLoss`].
    "kd" or "st" or "soft_target" => Kd(KdLossConfig => KdLoss);
    /// Standardized logits with a cross-entropy of their own: [`KdRefineLoss`].
    "kdrefine" => KdRefine(KdRefineLossConfig => KdRefineLoss);
    /// Target and other classes apart: [`DkdLoss`].
    "dkd" => Dkd(DkdLossConfig => DkdLoss);
    /// The logits themselves: [`LogitsLoss`].
    "logits" => Logits(LogitsLossConfig => LogitsLoss);
    /// The probabilities of a peer: [`DmlLoss`].
    "dml" => Dml(DmlLossConfig => DmlLoss);
    /// One feature map, through a regressor: [`HintLoss`].
    "hint" or "fitnet" => Hint(HintLossConfig => HintLoss);
    /// Attention maps of all stages: [`AtLoss`].
    "at" or "attention" => At(AtLossConfig => AtLoss);
    /// Where neurons respond, at all stages: [`NstLoss`].
    "nst" or "selectivity" => Nst(NstLossConfig => NstLoss);
    /// Maps predicted, with a variance: [`VidLoss`].
    "vid" or "variational" => Vid(VidLossConfig => VidLoss);
    /// A compressed form of one map: [`FtLoss`].
    "ft" or "factor" => Ft(FtLossConfig => FtLoss);
    /// Which neurons are active: [`AbLoss`].
    "ab" or "boundary" => Ab(AbLossConfig => AbLoss);
    /// What the teacher's classifier makes of the student's vector: [`SrrlLoss`].
    "srrl" or "softmax_regression" => Srrl(SrrlLossConfig => SrrlLoss);
    /// Maps before the activation, with margins: [`OfdLoss`].
    "ofd" or "overhaul" => Ofd(OfdLossConfig => OfdLoss);
    /// Channels weighted by the teacher: [`AfdLoss`].
    "afd" => Afd(AfdLossConfig => AfdLoss);
    /// Each stage from all deeper ones: [`ReviewKdLoss`].
    "reviewkd" or "review" => ReviewKd(ReviewKdLossConfig => ReviewKdLoss);
    /// All stages of the teacher, by similarity: [`SemCkdLoss`].
    "semckd" or "semantic" => SemCkd(SemCkdLossConfig => SemCkdLoss);
    /// Which samples are similar: [`SpLoss`].
    "sp" or "similarity" => Sp(SpLossConfig => SpLoss);
    /// Distances and angles between samples: [`RkdLoss`].
    "rkd" or "relational" => Rkd(RkdLossConfig => RkdLoss);
    /// Whom a sample takes for its neighbor: [`PktLoss`].
    "pkt" => Pkt(PktLossConfig => PktLoss);
    /// Relations between neighboring samples: [`CcLoss`].
    "cc" or "correlation" => Cc(CcLossConfig => CcLoss);
    /// Contrasts with a bank of all samples: [`CrdLoss`].
    "crd" or "contrastive" => Crd(CrdLossConfig => CrdLoss);
    /// Samples, distances, and how layers change them: [`IrgLoss`].
    "irg" => Irg(IrgLossConfig => IrgLoss);
    /// How one stage leads to the next: [`FspLoss`].
    "fsp" or "flow" => Fsp(FspLossConfig => FspLoss);
    /// Singular vectors of adjacent maps: [`KdSvdLoss`].
    "kdsvd" or "svd" => KdSvd(KdSvdLossConfig => KdSvdLoss);
    /// Distances between regions and between classes: [`AskdLoss`].
    "askd" => Askd(AskdLossConfig => AskdLoss);
    /// Logits of attacked images: [`BssLoss`].
    "bss" => Bss(BssLossConfig => BssLoss);
    /// Gradients with respect to the images: [`SobolevLoss`].
    "sobolev" => Sobolev(SobolevLossConfig => SobolevLoss);
    /// Where a label is seen, by Grad-CAM: [`LwmLoss`].
    "lwm" => Lwm(LwmLossConfig => LwmLoss);
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

    /// The losses of a teacher: all methods but the cross-entropy with labels.
    pub fn distilling() -> Vec<Method> {
        let all = Self::all().into_iter();
        all.filter(|method| method.requirements().site != Site::Labels)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FeatureShapes;
    use std::collections::BTreeSet;

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
            let fields: BTreeSet<_> = written.as_object().expect("a map").keys().collect();
            let described: BTreeSet<_> = std::iter::once("name")
                .chain(info.parameters.iter().map(|parameter| parameter.name))
                .map(str::to_owned)
                .collect();
            assert_eq!(fields, described.iter().collect(), "{}", info.name);
            for parameter in info.parameters {
                assert!(!parameter.description.is_empty(), "{}", info.name);
            }

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
        assert_eq!(method, Method::At(AtLossConfig::new().with_p(1)));
        let method: Method =
            serde_json::from_value(json!({ "name": "fitnet", "use_relu": false })).expect("hint");
        assert_eq!(
            method,
            Method::Hint(HintLossConfig::new().with_use_relu(false))
        );
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
                AtLossConfig::new()
                    .with_p(4)
                    .with_convention(crate::maps::AtConvention::Zoo)
            ))
        );
        assert_eq!(read("name: kd").ok(), Some(Method::Kd(KdLossConfig::new())));
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
    fn the_former_spelling_is_read() {
        for name in ["kd", "kdrefine", "dkd", "logits", "dml"] {
            let read = |key: &str| serde_json::from_value(json!({ "name": name, key: 3.0 })).ok();
            let method: Option<Method> = read("standardise");
            assert!(method.is_some(), "{name}");
            assert_eq!(method, read("standardize"), "{name}");
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones_and_the_nearest() {
        let message = |name| Method::by_name(name).expect_err("unknown").to_string();
        let all = Method::all();
        let known: Vec<_> = all.iter().map(Method::name).collect();
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
    fn infos_serialize_for_a_list() {
        let infos: Vec<_> = Method::all().iter().map(Method::info).collect();
        let list = serde_json::to_value(infos).expect("JSON");
        let of = |name: &str| {
            let list = list.as_array().expect("a list");
            let info = list.iter().find(|info| info["name"] == name);
            info.expect("a description").clone()
        };
        assert_eq!(list[0]["name"], "ce");
        assert_eq!(list[1]["name"], "kd");
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
                    method.build(&Setup::new(shapes(&SMALL), shapes(&LARGE)), &device)
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
                .build(&Setup::new(student.clone(), teacher.clone()), &device)
                .expect_err("a mistake")
                .to_string()
        };
        assert_eq!(
            message(Method::At(AtLossConfig::new())),
            "at compares stages in pairs, but the student has 3 after the stem and the teacher 2"
        );
        assert_eq!(
            message(Method::Hint(HintLossConfig::new().with_stage(3))),
            "hint acts at stage 3, but the teacher has maps of stages 0 to 2 only"
        );
        assert_eq!(
            message(Method::Hint(HintLossConfig::new().with_stage(4))),
            "hint acts at stage 4, but the student has maps of stages 0 to 3 only"
        );
    }
}
