//! The parts of the UI that draw nothing: the UI itself is built for the browser alone, these are built here as well.

#[path = "../../ui/src/pages/collect/command_line.rs"]
mod command_line;
mod dataset;
#[path = "../../ui/src/pages/collect/form_schema.rs"]
mod form_schema;
mod lens;
mod review;
mod train;

mod command_lines {
    use proptest::prelude::*;

    use super::command_line::{join, split};

    fn words(line: &str) -> Vec<String> {
        split(line).unwrap()
    }

    #[test]
    fn a_line_is_split_as_a_shell_would_without_expanding_anything() {
        assert_eq!(words(""), Vec::<String>::new());
        assert_eq!(words("  -y   @playwright/mcp@0.0.83\t--isolated "), ["-y", "@playwright/mcp@0.0.83", "--isolated"]);
        assert_eq!(words(r#"'two words' "and two" 'it''s' --a="b c""#), ["two words", "and two", "its", "--a=b c"]);
        assert_eq!(words(r#""" ''"#), ["", ""]);
        assert_eq!(words(r"one\ word \'quoted\'"), ["one word", "'quoted'"]);
        assert_eq!(words("$HOME *.txt ~"), ["$HOME", "*.txt", "~"]);
    }

    #[test]
    fn windows_paths_survive_being_typed_as_they_are() {
        assert_eq!(words(r"C:\Users\ada\server.exe --dir D:\data"), [r"C:\Users\ada\server.exe", "--dir", r"D:\data"]);
        assert_eq!(words(r#""C:\Program Files\node\node.exe""#), [r"C:\Program Files\node\node.exe"]);
        assert_eq!(words(r"\\share\tools"), [r"\share\tools"], "two backslashes are one that is escaped");
        assert_eq!(words(r"'\\share\tools'"), [r"\\share\tools"]);
    }

    #[test]
    fn a_quote_that_is_never_closed_is_named() {
        assert_eq!(split("--name 'two words").unwrap_err(), "A ' is opened and never closed.");
        assert!(split(r#"say "hi"#).is_err());
    }

    proptest! {
        #[test]
        fn what_is_joined_is_split_into_the_same_arguments(
            arguments in prop::collection::vec(r#"[a-z \\'"$\n=*é-]{0,8}"#, 0..6),
        ) {
            let line = join(&arguments);
            prop_assert_eq!(split(&line), Ok(arguments), "{}", line);
        }

        #[test]
        fn no_line_brings_it_down(line in r#"[a \\'"]{0,12}"#) {
            if let Ok(arguments) = split(&line) {
                prop_assert_eq!(split(&join(&arguments)), Ok(arguments));
            }
        }
    }
}

mod forms {
    use tw_artifact::Json;

    use super::form_schema::{Choice, Field, FieldKind, FieldValue, answer, read_fields};

    fn fields(properties: &str, required: &str) -> Vec<Field> {
        let schema = format!(r#"{{"type":"object","properties":{properties},"required":{required}}}"#);
        read_fields(&Json::parse(&schema).unwrap()).unwrap()
    }

    fn field(property: &str) -> Field {
        fields(&format!(r#"{{"it":{property}}}"#), r#"["it"]"#).remove(0)
    }

    fn text(text: &str) -> FieldValue {
        FieldValue::Text(text.to_owned())
    }

    /// What a field makes of a value: its JSON, or what is wrong.
    fn given(property: &str, value: FieldValue) -> Result<String, String> {
        match answer(&[field(property)], &[value]) {
            Ok(content) => Ok(content.get("it").map(Json::to_text).unwrap_or_default()),
            Err(mut problems) => Err(problems.remove(0).1),
        }
    }

    fn choice(value: &str, label: &str) -> Choice {
        Choice { value: value.to_owned(), label: label.to_owned() }
    }

    #[test]
    fn fields_come_in_the_schemas_order_with_what_stands_in_them_at_first() {
        let all = fields(
            r#"{"name":{"type":"string","title":"Your name","description":"As on the card","default":"Ada"},
               "age":{"type":"integer","default":36},"news":{"type":"boolean","default":true},
               "tags":{"type":"array","items":{"enum":["a","b"]},"default":["b"]}}"#,
            r#"["name"]"#,
        );
        let names: Vec<_> = all.iter().map(|it| (it.name.as_str(), it.title.as_str(), it.required)).collect();
        assert_eq!(
            names,
            [("name", "Your name", true), ("age", "age", false), ("news", "news", false), ("tags", "tags", false)]
        );
        assert_eq!(all[0].description, "As on the card");
        let initial: Vec<_> = all.into_iter().map(|it| it.initial).collect();
        assert_eq!(initial, [text("Ada"), text("36"), FieldValue::Flag(true), FieldValue::Many(vec!["b".to_owned()])]);
    }

    #[test]
    fn choices_are_read_in_each_of_their_forms() {
        let two = vec![choice("s", "Small"), choice("l", "Large")];
        for property in [
            r#"{"type":"string","enum":["s","l"],"enumNames":["Small","Large"]}"#,
            r#"{"type":"string","oneOf":[{"const":"s","title":"Small"},{"const":"l","title":"Large"}]}"#,
        ] {
            assert_eq!(field(property).kind, FieldKind::Choice(two.clone()), "{property}");
        }
        let several =
            r#"{"type":"array","minItems":1,"items":{"anyOf":[{"const":"s","title":"Small"},{"const":"l"}]}}"#;
        let options = vec![choice("s", "Small"), choice("l", "l")];
        assert_eq!(field(several).kind, FieldKind::Choices { options, min: Some(1), max: None });
    }

    #[test]
    fn a_field_of_an_unknown_kind_is_named() {
        let schema = Json::parse(r#"{"properties":{"where":{"type":"object"}}}"#).unwrap();
        assert!(read_fields(&schema).unwrap_err().contains("\"where\""));
        assert!(read_fields(&Json::parse("[]").unwrap()).is_err());
    }

    #[test]
    fn numbers_are_checked_and_sent_as_they_were_typed() {
        let price = r#"{"type":"number","minimum":0,"maximum":10}"#;
        assert_eq!(given(price, text("1.50")).as_deref(), Ok("1.50"));
        assert_eq!(given(price, text(" .5 ")).as_deref(), Ok("0.5"), "a number to a person, not to JSON");
        assert_eq!(given(price, text("-1")).unwrap_err(), "At least 0.");
        assert_eq!(given(price, text("11")).unwrap_err(), "At most 10.");
        for no_number in ["two", "NaN", "inf", "1e999"] {
            assert_eq!(given(price, text(no_number)).unwrap_err(), "This is not a number.", "{no_number}");
        }
        assert_eq!(given(r#"{"type":"integer"}"#, text("1.5")).unwrap_err(), "This must be a whole number.");
        assert_eq!(given(r#"{"type":"integer"}"#, text("12345678901234567890")).as_deref(), Ok("12345678901234567890"));
    }

    #[test]
    fn texts_are_checked_by_length_and_form() {
        let short = r#"{"type":"string","minLength":2,"maxLength":3}"#;
        assert_eq!(given(short, text("é")).unwrap_err(), "At least 2 characters.");
        assert_eq!(given(short, text("éééé")).unwrap_err(), "At most 3 characters.");
        assert_eq!(given(short, text("ééé")).as_deref(), Ok(r#""ééé""#));
        let email = r#"{"type":"string","format":"email"}"#;
        assert!(given(email, text("ada")).unwrap_err().contains("name@example.org"));
        assert!(given(email, text("ada@example.org")).is_ok());
        assert!(given(r#"{"type":"string","format":"uri"}"#, text("example")).is_err());
    }

    #[test]
    fn what_is_needed_must_be_there_and_what_is_not_may_be_left_out() {
        assert_eq!(given(r#"{"type":"string"}"#, text("")).unwrap_err(), "This is needed.");
        let several = r#"{"type":"array","minItems":1,"items":{"enum":["a","b"]}}"#;
        assert_eq!(given(several, FieldValue::Many(Vec::new())).unwrap_err(), "At least 1 chosen.");
        assert_eq!(given(several, FieldValue::Many(vec!["b".to_owned()])).as_deref(), Ok(r#"["b"]"#));
        assert_eq!(given(r#"{"type":"boolean"}"#, FieldValue::Flag(false)).as_deref(), Ok("false"));
        let optional = fields(r#"{"a":{"type":"string"},"b":{"enum":["x"]},"c":{"type":"boolean"}}"#, "[]");
        let content = answer(&optional, &[text(""), text(""), FieldValue::Flag(true)]).unwrap();
        assert_eq!(content.to_text(), r#"{"c":true}"#);
    }

    #[test]
    fn every_field_that_is_wrong_is_told_at_once() {
        let two = fields(r#"{"name":{"type":"string"},"age":{"type":"integer"}}"#, r#"["name","age"]"#);
        let problems = answer(&two, &[text(""), text("old")]).unwrap_err();
        assert_eq!(problems.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["name", "age"]);
    }
}
