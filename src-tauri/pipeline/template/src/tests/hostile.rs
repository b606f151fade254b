//! Templates that would hang, crash or look around.

use super::{row, settings, special_tokens, tokenizer};
use crate::{Error, RowRenderer, Template, TemplateFault, Train};

#[test]
fn hostile_templates_are_stopped() {
    for (source, fault) in [
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", TemplateFault::Limit),
        (
            "{% set ns = namespace(x='ab') %}{% for i in range(64) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
            TemplateFault::Limit,
        ),
        ("{{ 'a' * 999999999999 }}", TemplateFault::Limit),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", TemplateFault::Limit),
        ("{{ [[0] * 99999] * 99999 }}", TemplateFault::Limit),
        (
            "{% set ns = namespace() %}{% set ns.a = [1] %}{% for i in range(9999) %}{% set ns.a = [ns.a] %}{% endfor %}{{ ns.a }}",
            TemplateFault::Limit,
        ),
        ("{{ '%999999999d' % 1 }}", TemplateFault::Limit),
        ("{{ 2 ** 999999 }}", TemplateFault::Limit),
        ("{{ ''.__class__.__mro__ }}", TemplateFault::Run),
        ("{{ messages.append(1) }}", TemplateFault::Run),
        ("{{ raise_exception('no') }}", TemplateFault::Refused),
    ] {
        let template = Template::parse(source).unwrap();
        let (special_tokens, tokenizer) = (special_tokens(), tokenizer());
        let renderer = RowRenderer { template: &template, special_tokens: &special_tokens, tokenizer: &tokenizer };
        match renderer.render(&row(r#"[{"role":"user","content":"q"}]"#), &settings(Train::All)) {
            Err(Error::Template(error)) => assert_eq!(error.fault, fault, "{source}: {error}"),
            other => panic!("{source}: {other:?}"),
        }
    }
    let deep = [
        format!("{{{{ {}1{} }}}}", "(".repeat(5000), ")".repeat(5000)),
        format!("{{{{ 1{} }}}}", "+1".repeat(7000)),
        format!("{{{{ {}1 }}}}", "not ".repeat(3000)),
        "{% if 1 %}".repeat(2000),
        format!("{{% if 1 %}}{}{{% endif %}}", "{% elif 1 %}".repeat(50_000)),
        format!("{{{{ {} }}}}", "x".repeat(1 << 21)),
    ];
    for source in deep {
        assert!(Template::parse(&source).is_err(), "{}", &source[..40]);
    }
}
