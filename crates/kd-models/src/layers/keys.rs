//! From module paths to PyTorch's keys.

/// Replaces parts of a dotted path, rule by rule. Rules are written with the dots around them,
/// also for the first part of the path.
pub(crate) fn rename<'a>(
    path: &str,
    rules: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let dotted = rules
        .into_iter()
        .fold(format!(".{path}"), |path, (from, to)| {
            path.replace(from, to)
        });
    dotted.trim_start_matches('.').to_owned()
}

/// Rules of a network in stages that PyTorch calls `layer1`, `layer2` …
pub(crate) const STAGES: &[(&str, &str)] = &[
    (".stages.0.", ".layer1."),
    (".stages.1.", ".layer2."),
    (".stages.2.", ".layer3."),
    (".stages.3.", ".layer4."),
];

/// Rules of units whose convolution and batch norm stand side by side in PyTorch, as `conv1` and
/// `bn1`.
pub(crate) const SPLIT: &[(&str, &str)] = &[
    (".conv1.conv.", ".conv1."),
    (".conv1.bn.", ".bn1."),
    (".conv2.conv.", ".conv2."),
    (".conv2.bn.", ".bn2."),
    (".convs.0.conv.", ".conv1."),
    (".convs.0.bn.", ".bn1."),
    (".convs.1.conv.", ".conv2."),
    (".convs.1.bn.", ".bn2."),
    (".convs.2.conv.", ".conv3."),
    (".convs.2.bn.", ".bn3."),
    (".convs.3.conv.", ".conv4."),
    (".convs.3.bn.", ".bn4."),
    (".convs.4.conv.", ".conv5."),
    (".convs.4.bn.", ".bn5."),
];

/// Rules of units that are modules of their own in PyTorch: those that can be deployed.
pub(crate) const UNITS: &[(&str, &str)] = &[
    (".convs.0.", ".conv1."),
    (".convs.1.", ".conv2."),
    (".convs.2.", ".conv3."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_apply_at_both_ends_and_in_turn() {
        let rules = [(".a.", ".b."), (".b.c.", ".d.")];
        assert_eq!(rename("a.c.x", rules), "d.x");
        assert_eq!(rename("ba.c", rules), "ba.c");
    }
}
