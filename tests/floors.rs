//! An arrow goes down only: a module uses those that stand above it in `lib.rs`, and no two use
//! each other. What only tests and docs use does not count.
//!
//! Read are the tokens of every source file, so comments and strings say nothing, and paths inside
//! macros count like all others.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// Path below `src/` and text of each file.
type Tree = BTreeMap<String, String>;

/// `from` names `to`, the first word after `crate::`.
struct Arrow {
    from: String,
    to: String,
    place: String,
}

/// What `lib.rs` says.
#[derive(Default)]
struct House {
    /// The modules, ground floor first.
    floors: Vec<String>,
    /// A name at the root that stands for one in a module, or in another crate.
    names: BTreeMap<String, String>,
}

fn is_word(token: Option<&TokenTree>, word: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(ident)) if ident == word)
}

fn is_mark(token: Option<&TokenTree>, mark: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == mark)
}

fn group(token: Option<&TokenTree>, delimiter: Delimiter) -> Option<&Group> {
    match token {
        Some(TokenTree::Group(group)) if group.delimiter() == delimiter => Some(group),
        _ => None,
    }
}

fn tokens(stream: TokenStream) -> Vec<TokenTree> {
    stream.into_iter().collect()
}

fn words(stream: TokenStream, found: &mut Vec<String>) {
    for token in stream {
        match token {
            TokenTree::Ident(ident) => found.push(ident.to_string()),
            TokenTree::Group(group) => words(group.stream(), found),
            _ => {}
        }
    }
}

/// Whether this condition of a `cfg` holds in tests only.
fn needs_test(condition: &[TokenTree]) -> bool {
    match condition {
        [TokenTree::Ident(word)] => word == "test",
        [TokenTree::Ident(word), TokenTree::Group(parts)] if word == "all" || word == "cfg" => {
            tokens(parts.stream())
                .split(|token| is_mark(Some(token), ','))
                .any(needs_test)
        }
        _ => false,
    }
}

impl House {
    fn read(lib: &str) -> Self {
        let lib = tokens(lib.parse().unwrap());
        let mut house = Self::default();
        let mut uses = Vec::new();
        for (at, token) in lib.iter().enumerate() {
            if is_word(Some(token), "mod") {
                house.floors.push(lib[at + 1].to_string());
            } else if is_word(Some(token), "use") {
                let end = |token: &TokenTree| is_mark(Some(token), ';');
                let mut path = Vec::new();
                let tree = lib[at + 1..].split(end).next().unwrap();
                words(tree.iter().cloned().collect(), &mut path);
                uses.push(path);
            }
        }
        for mut path in uses {
            let first = path.remove(0);
            for name in path {
                house.names.insert(name, first.clone());
            }
        }
        house
    }

    /// The floor of a name at the root; `None` for what comes from another crate.
    fn floor(&self, name: &str) -> Result<Option<usize>, String> {
        let floor = |name| self.floors.iter().position(|floor| *floor == name);
        if let Some(at) = floor(name.to_owned()) {
            return Ok(Some(at));
        }
        let first = self
            .names
            .get(name)
            .ok_or_else(|| format!("`{name}` does not stand in lib.rs"))?;
        Ok(floor(first.clone()))
    }
}

/// Reads one file: finds the paths that begin at the root.
struct Reader<'a> {
    /// Of the file, below `src/`.
    path: &'a str,
    arrows: Vec<Arrow>,
    /// Modules in files of their own that exist in tests only.
    tests: BTreeSet<String>,
}

impl Reader<'_> {
    /// The file's module, as a path without the extension.
    fn module(&self) -> &str {
        let path = self.path.strip_suffix(".rs").unwrap();
        path.strip_suffix("/mod").unwrap_or(path)
    }

    /// `depth`: how many `super::` lead to the root from here.
    fn read(&mut self, tokens: &[TokenTree], depth: usize) {
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            let next = tokens.get(at + 1);
            let inner = is_mark(next, '!');
            let attribute = tokens.get(at + 1 + usize::from(inner));
            at = match token {
                TokenTree::Punct(mark) if mark.as_char() == '#' => {
                    match group(attribute, Delimiter::Bracket) {
                        Some(cfg) if needs_test(&self::tokens(cfg.stream())) => {
                            if inner {
                                return;
                            }
                            self.skip_item(tokens, at + 2)
                        }
                        _ => at + 1,
                    }
                }
                TokenTree::Ident(word) if word == "crate" => {
                    self.path(tokens, at + 1, depth, depth);
                    at + 1
                }
                TokenTree::Ident(word) if word == "super" => {
                    self.path(tokens, at + 1, 1, depth);
                    at + 1
                }
                TokenTree::Ident(word) if word == "mod" => {
                    if let Some(body) = group(tokens.get(at + 2), Delimiter::Brace) {
                        self.read(&self::tokens(body.stream()), depth + 1);
                        at + 3
                    } else {
                        at + 1
                    }
                }
                TokenTree::Group(group) => {
                    self.read(&self::tokens(group.stream()), depth);
                    at + 1
                }
                _ => at + 1,
            };
        }
    }

    /// What follows `crate` or `super` at `at`, `ups` floors above the module it stands in.
    fn path(&mut self, tokens: &[TokenTree], at: usize, ups: usize, depth: usize) {
        if is_mark(tokens.get(at), ':') && is_mark(tokens.get(at + 1), ':') {
            self.segment(tokens, at + 2, ups, depth);
        }
    }

    fn segment(&mut self, tokens: &[TokenTree], at: usize, ups: usize, depth: usize) {
        match tokens.get(at) {
            Some(TokenTree::Ident(word)) if word == "super" => {
                self.path(tokens, at + 1, ups + 1, depth);
            }
            Some(TokenTree::Group(branches)) => {
                for branch in self::tokens(branches.stream()).split(|t| is_mark(Some(t), ',')) {
                    self.segment(branch, 0, ups, depth);
                }
            }
            Some(name) if ups == depth && !is_word(Some(name), "self") => {
                let module = self.module();
                self.arrows.push(Arrow {
                    from: module.split('/').next().unwrap().to_owned(),
                    to: name.to_string(),
                    place: format!("{}:{}", self.path, name.span().start().line),
                });
            }
            _ => {}
        }
    }

    /// The end of the item at `at`, whose attribute keeps it to tests.
    fn skip_item(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let mut is_use = false;
        for (at, token) in tokens.iter().enumerate().skip(at) {
            is_use |= is_word(Some(token), "use");
            if is_word(Some(token), "mod") && is_mark(tokens.get(at + 2), ';') {
                let name = &tokens[at + 1];
                self.tests.insert(format!("{}/{name}", self.module()));
            }
            let ends = group(Some(token), Delimiter::Brace).is_some() && !is_use;
            if ends || is_mark(Some(token), ';') {
                return at + 1;
            }
        }
        tokens.len()
    }
}

/// Every path from one module of the crate to another.
fn arrows(tree: &Tree) -> Vec<Arrow> {
    let (mut found, mut tests) = (Vec::new(), BTreeSet::new());
    for (path, text) in tree.iter().filter(|(path, _)| *path != "lib.rs") {
        let text: TokenStream = text.parse().map_err(|e| format!("{path}: {e}")).unwrap();
        let mut reader = Reader {
            path,
            arrows: Vec::new(),
            tests: BTreeSet::new(),
        };
        let depth = reader.module().split('/').count();
        reader.read(&tokens(text), depth);
        found.append(&mut reader.arrows);
        tests.append(&mut reader.tests);
    }
    found.retain(|arrow| {
        let is_in = |test: &String| {
            let rest = arrow.place.strip_prefix(test.as_str());
            rest.is_some_and(|rest| rest.starts_with(".rs") || rest.starts_with('/'))
        };
        !tests.iter().any(is_in)
    });
    found
}

/// The arrows that do not go down, each with its place.
fn faults(tree: &Tree) -> Vec<String> {
    let house = House::read(&tree["lib.rs"]);
    let mut faults = Vec::new();
    let mut down = BTreeSet::new();
    let mut up = Vec::new();
    for Arrow { from, to, place } in arrows(tree) {
        match (house.floor(&from), house.floor(&to)) {
            (Ok(Some(low)), Ok(Some(high))) if low < high => up.push((low, high, to, place)),
            (Ok(Some(high)), Ok(Some(low))) => _ = down.insert((high, low)),
            (Ok(_), Ok(_)) => {}
            (Err(fault), _) | (_, Err(fault)) => faults.push(format!("{place}: {fault}")),
        }
    }
    for (low, high, to, place) in up {
        let floors = &house.floors;
        let mut fault = format!("{place}: `{}` uses `crate::{to}`", floors[low]);
        if floors[high] != to {
            fault += &format!(" of `{}`", floors[high]);
        }
        fault += ", which stands later in lib.rs";
        if down.contains(&(high, low)) {
            fault += &format!("; and `{}` uses `{}`: a circle", floors[high], floors[low]);
        }
        faults.push(fault);
    }
    faults.sort();
    faults
}

fn add_files(folder: &Path, below: &str, tree: &mut Tree) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let below = format!("{below}{name}");
        if path.is_dir() {
            add_files(&path, &format!("{below}/"), tree);
        } else if below.ends_with(".rs") {
            tree.insert(below, std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn no_module_uses_one_that_stands_later() {
    let mut tree = Tree::new();
    add_files(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        "",
        &mut tree,
    );
    assert!(arrows(&tree).len() > 50, "the sources were not read");
    let faults = faults(&tree);
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn an_arrow_up_is_found_wherever_it_hides() {
    let tree = [
        (
            "lib.rs",
            "mod time; pub mod idle; #[cfg(unix)] mod rt;\nmod io; mod test_util;
             pub use rt::{Clock, Timer as Bell}; pub use futures::Stream;",
        ),
        (
            "time.rs",
            "//! See [`crate::io`].
             use crate::{time::Newest, idle::{self, Idle}};
             // use crate::io::Nothing;
             /// Like [`Track`](crate::io::Track).
             fn name() -> &'static str { \"crate::io::Track\" }
             #[cfg(test)] use crate::{io::Track, rt};
             #[cfg(test)] mod more;
             #[cfg(all(test, unix))] #[allow(unused)] mod tests { use crate::test_util::World; }
             fn after() -> Option<crate::Clock> { None }",
        ),
        ("time/more.rs", "use crate::io::Track;"),
        (
            "idle.rs",
            "use crate::Stream;
             #[cfg(any(test, feature = \"tokio\"))]
             fn both() { let _ = matches!(1, super::rt::ONE); }
             mod deep { use super::super::{time, Bell}; use super::Own; }",
        ),
        ("rt/mod.rs", "use crate::time::Newest; use crate::Gone;"),
        (
            "rt/tokio.rs",
            "use super::{super::io::Track, Timer}; use super::super::time;",
        ),
        (
            "io/mod.rs",
            "#![doc = \"crate::test_util\"]\npub(crate) use crate::rt::Clock;",
        ),
        ("test_util.rs", "use crate::io::Track;"),
    ];
    let tree = tree.map(|(path, text)| (path.to_owned(), text.to_owned()));
    assert_eq!(
        faults(&tree.into_iter().collect()),
        [
            "idle.rs:3: `idle` uses `crate::rt`, which stands later in lib.rs",
            "idle.rs:4: `idle` uses `crate::Bell` of `rt`, which stands later in lib.rs",
            "rt/mod.rs:1: `Gone` does not stand in lib.rs",
            "rt/tokio.rs:1: `rt` uses `crate::io`, which stands later in lib.rs; and `io` uses `rt`: a circle",
            "time.rs:2: `time` uses `crate::idle`, which stands later in lib.rs; and `idle` uses `time`: a circle",
            "time.rs:9: `time` uses `crate::Clock` of `rt`, which stands later in lib.rs; and `rt` uses `time`: a circle",
        ]
    );
}
