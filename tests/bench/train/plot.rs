//! Curves as an SVG picture.

/// A curve: its name, and a value for each step from 1.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) values: Vec<f64>,
}

const WIDTH: f64 = 640.0;
const PANEL_HEIGHT: f64 = 300.0;
/// Room around a panel's axes: left, top, right, bottom.
const MARGINS: [f64; 4] = [60.0, 40.0, 20.0, 50.0];
/// Told apart also by who sees few colours: each has a dash pattern of its own, too.
const STROKES: [(&str, &str); 4] = [("#0b5fa5", ""), ("#c2410c", "8 4"), ("#3f7d20", "2 4"), ("#6b21a8", "10 3 2 3")];

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// One panel for each title, below each other: the loss over the steps.
pub(crate) fn svg(panels: &[(String, Vec<Curve>)]) -> String {
    let height = PANEL_HEIGHT * panels.len() as f64;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (index, (title, curves)) in panels.iter().enumerate() {
        out.push_str(&panel(title, curves, PANEL_HEIGHT * index as f64));
    }
    out.push_str("</svg>\n");
    out
}

fn panel(title: &str, curves: &[Curve], top: f64) -> String {
    let [left, above, right, below] = MARGINS;
    let (x0, x1, y0, y1) = (left, WIDTH - right, top + above, top + PANEL_HEIGHT - below);
    let values = || curves.iter().flat_map(|curve| curve.values.iter().copied());
    let (least, most) = values().fold((f64::MAX, f64::MIN), |(least, most), value| (least.min(value), most.max(value)));
    let (least, most) = if most - least > 1e-9 { (least, most) } else { (least - 0.5, least + 0.5) };
    let steps = curves.iter().map(|curve| curve.values.len()).max().unwrap_or(1);
    let x = |step: usize| if steps > 1 { x0 + (x1 - x0) * step as f64 / (steps - 1) as f64 } else { (x0 + x1) / 2.0 };
    let y = |value: f64| y1 - (y1 - y0) * (value - least) / (most - least);
    let mut out = String::new();
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    line(format!("<text x=\"{x0}\" y=\"{}\" font-weight=\"bold\">{}</text>", top + 18.0, escaped(title)));
    line(format!("<path d=\"M{x0} {y0}V{y1}H{x1}\" fill=\"none\" stroke=\"#444\"/>"));
    for value in [least, f64::midpoint(least, most), most] {
        let at = y(value);
        line(format!("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{value:.3}</text>", x0 - 6.0, at + 4.0));
    }
    for step in [0, steps - 1] {
        line(format!("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">step {}</text>", x(step), y1 + 16.0, step + 1));
    }
    for (index, curve) in curves.iter().enumerate() {
        let (colour, dashes) = STROKES[index % STROKES.len()];
        let mut path = String::new();
        for (step, value) in curve.values.iter().enumerate() {
            path.push_str(&format!("{}{:.2} {:.2}", if step == 0 { "M" } else { "L" }, x(step), y(*value)));
        }
        let stroke = format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"");
        line(format!("<path d=\"{path}\" {stroke}/>"));
        for (step, value) in curve.values.iter().enumerate().take(40) {
            line(format!("<circle cx=\"{:.2}\" cy=\"{:.2}\" r=\"3\" fill=\"{colour}\"/>", x(step), y(*value)));
        }
        let (at, row) = (x0 + 190.0 * index as f64, top + PANEL_HEIGHT - 14.0);
        line(format!("<path d=\"M{at} {}h24\" {stroke}/>", row - 4.0));
        line(format!("<text x=\"{}\" y=\"{row}\">{}</text>", at + 30.0, escaped(&curve.name)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_holds_every_curve_and_no_text_breaks_it() {
        let curve = |name: &str, values: &[f64]| Curve { name: name.to_owned(), values: values.to_vec() };
        let picture = svg(&[
            ("a < b".to_owned(), vec![curve("ours", &[2.0, 1.5, 1.0]), curve("theirs", &[2.0, 1.4])]),
            ("one step".to_owned(), vec![curve("alone", &[3.0])]),
        ]);
        assert!(picture.contains("a &lt; b") && !picture.contains("NaN"), "{picture}");
        assert_eq!(picture.matches("<circle").count(), 6);
    }
}
