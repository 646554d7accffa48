//! As much of SMT-LIB (version 2.6) as it takes to evaluate the functions a file defines on bit-vectors of up to 128 bits.

use std::collections::HashMap;

/// What a term stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Value {
    Bool(bool),
    Bits { width: u32, bits: u128 },
}

impl Value {
    /// A bit-vector; `bits` must fit into `width`.
    pub(crate) fn bits(width: u32, bits: u128) -> Self {
        assert!(width <= 128 && (width == 128 || bits >> width == 0), "{bits:#x} has more than {width} bits");
        Self::Bits { width, bits }
    }
}

#[derive(Debug)]
enum Term {
    Atom(String),
    List(Vec<Self>),
}

#[derive(Debug)]
struct Function {
    parameters: Vec<String>,
    body: Term,
}

/// The functions a file defines. Goals and everything else are for the solver.
#[derive(Debug)]
pub(crate) struct Definitions(HashMap<String, Function>);

impl Definitions {
    pub(crate) fn parse(text: &str) -> Self {
        let mut tokens = tokens(text).into_iter();
        let mut functions = HashMap::new();
        while let Some(token) = tokens.next() {
            let command = term(token, &mut tokens);
            if let [Term::Atom(keyword), _, Term::List(parameters), _, _] = command.list()
                && keyword == "define-fun"
            {
                let parameters = parameters.iter().map(|p| p.list()[0].atom().to_owned()).collect();
                let Term::List(mut parts) = command else { unreachable!("it was one above") };
                let body = parts.pop().expect("five parts");
                functions.insert(parts[1].atom().to_owned(), Function { parameters, body });
            }
        }
        Self(functions)
    }

    /// The value of `name` for these arguments.
    pub(crate) fn call(&self, name: &str, arguments: &[Value]) -> Value {
        let function = self.0.get(name).unwrap_or_else(|| panic!("{name} is not defined"));
        assert_eq!(function.parameters.len(), arguments.len(), "arguments of {name}");
        let mut names: Vec<(&str, Value)> =
            function.parameters.iter().map(String::as_str).zip(arguments.iter().copied()).collect();
        self.value(&function.body, &mut names)
    }

    fn value<'t>(&'t self, term: &'t Term, names: &mut Vec<(&'t str, Value)>) -> Value {
        let parts = match term {
            Term::Atom(atom) => return self.atom(atom, names),
            Term::List(parts) => parts,
        };
        let operator = parts[0].atom();
        match operator {
            "let" => {
                let values: Vec<_> = parts[1]
                    .list()
                    .iter()
                    .map(|binding| (binding.list()[0].atom(), self.value(&binding.list()[1], names)))
                    .collect();
                let outside = names.len();
                names.extend(values);
                let value = self.value(&parts[2], names);
                names.truncate(outside);
                value
            }
            "ite" => match self.value(&parts[1], names) {
                Value::Bool(true) => self.value(&parts[2], names),
                Value::Bool(false) => self.value(&parts[3], names),
                Value::Bits { .. } => panic!("ite of bits"),
            },
            _ => {
                let arguments: Vec<_> = parts[1..].iter().map(|part| self.value(part, names)).collect();
                apply(operator, &arguments).unwrap_or_else(|| self.call(operator, &arguments))
            }
        }
    }

    fn atom(&self, atom: &str, names: &[(&str, Value)]) -> Value {
        if let Some(hex) = atom.strip_prefix("#x") {
            let bits = u128::from_str_radix(hex, 16).expect("a hexadecimal number");
            return Value::bits(4 * hex.len() as u32, bits);
        }
        match (atom, names.iter().rev().find(|(name, _)| *name == atom)) {
            ("true" | "false", _) => Value::Bool(atom == "true"),
            (_, Some((_, value))) => *value,
            (_, None) => self.call(atom, &[]),
        }
    }
}

/// The value of one of the standard's operators.
fn apply(operator: &str, arguments: &[Value]) -> Option<Value> {
    use Value::{Bits, Bool};
    Some(match *arguments {
        [Bits { width, bits: a }] if operator == "bvnot" => Bits { width, bits: !a & mask(width) },
        [Bits { width: high, bits: a }, Bits { width: low, bits: b }] if operator == "concat" => {
            Value::bits(high + low, a << low | b)
        }
        [Bits { width, bits: a }, Bits { width: other, bits: b }] => {
            let value = |bits: u128| Bits { width, bits: bits & mask(width) };
            let result = match operator {
                "bvadd" => value(a.wrapping_add(b)),
                "bvsub" => value(a.wrapping_sub(b)),
                "bvand" => value(a & b),
                "bvor" => value(a | b),
                "bvxor" => value(a ^ b),
                "bvlshr" => value(if b < width.into() { a >> b } else { 0 }),
                "bvult" => Bool(a < b),
                "bvule" => Bool(a <= b),
                "bvugt" => Bool(a > b),
                "bvuge" => Bool(a >= b),
                "=" => Bool(a == b),
                _ => return None,
            };
            assert_eq!(width, other, "{operator} of different widths");
            result
        }
        [Bool(a)] if operator == "not" => Bool(!a),
        [Bool(a), Bool(b)] => match operator {
            "and" => Bool(a && b),
            "or" => Bool(a || b),
            _ => return None,
        },
        _ => return None,
    })
}

fn mask(width: u32) -> u128 {
    u128::MAX >> (128 - width)
}

impl Term {
    fn atom(&self) -> &str {
        match self {
            Self::Atom(atom) => atom,
            Self::List(_) => panic!("not a name: {self:?}"),
        }
    }

    fn list(&self) -> &[Self] {
        match self {
            Self::Atom(_) => panic!("not a list: {self:?}"),
            Self::List(parts) => parts,
        }
    }
}

/// Parentheses and words, without comments.
fn tokens(text: &str) -> Vec<String> {
    let code = text.lines().map(|line| line.split(';').next().unwrap_or_default());
    let spaced = code.map(|line| line.replace('(', " ( ").replace(')', " ) ")).collect::<Vec<_>>().join("\n");
    spaced.split_whitespace().map(str::to_owned).collect()
}

fn term(token: String, tokens: &mut impl Iterator<Item = String>) -> Term {
    if token != "(" {
        return Term::Atom(token);
    }
    let mut parts = Vec::new();
    loop {
        match tokens.next().expect("a closing parenthesis").as_str() {
            ")" => return Term::List(parts),
            token => parts.push(term(token.to_owned(), tokens)),
        }
    }
}

#[test]
fn terms_have_the_values_the_standard_gives_them() {
    let definitions = Definitions::parse(
        "; (define-fun comment () Bool true)
        (set-logic QF_BV)
        (define-fun one () (_ BitVec 8) #x01)
        (define-fun next ((n (_ BitVec 8))) (_ BitVec 8) (bvadd n one))
        (define-fun shadowed ((n (_ BitVec 8))) (_ BitVec 8)
          (let ((n (next n)) (m n)) (ite (bvult m n) (bvsub n (next m)) (bvnot n))))
        (define-fun joined ((n (_ BitVec 8))) (_ BitVec 16) (concat n (bvlshr n #x04)))
        (define-fun odd ((n (_ BitVec 8))) Bool (and (= (bvand n one) one) (not (or (= n n) false))))",
    );
    let byte = |n| Value::bits(8, n);
    assert_eq!(definitions.call("next", &[byte(0xff)]), byte(0), "wraps");
    assert_eq!(definitions.call("shadowed", &[byte(7)]), byte(0), "let binds all at once");
    assert_eq!(definitions.call("shadowed", &[byte(0xff)]), byte(0xff));
    assert_eq!(definitions.call("joined", &[byte(0xa5)]), Value::bits(16, 0xa50a));
    assert_eq!(definitions.call("odd", &[byte(3)]), Value::Bool(false));
}
