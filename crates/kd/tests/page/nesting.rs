//! Whether tags are closed in the order in which they were opened.

/// Elements without an end.
const VOID: [&str; 3] = ["br", "img", "meta"];

/// Panics if an element is not closed, or another one is.
#[track_caller]
pub fn check(page: &str) {
    let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("the kind");
    let mut open: Vec<&str> = Vec::new();
    while let Some(start) = rest.find('<') {
        let tag = &rest[start + 1..];
        let end = tag.find('>').expect("the end of a tag");
        let (tag, after) = (&tag[..end], &tag[end + 1..]);
        rest = after;
        let name = tag.split([' ', '/', '\n']).find(|part| !part.is_empty());
        let name = name.expect("a name");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "before {}", shown(rest));
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
        // Their content is no HTML.
        if ["style", "script"].contains(&name) && !tag.starts_with('/') {
            rest = &rest[rest.find(&format!("</{name}>")).expect("its end")..];
        }
    }
    assert_eq!(open, Vec::<&str>::new());
}

fn shown(rest: &str) -> String {
    rest.chars().take(80).collect()
}
