//! Figures as SVG.

use plotters::prelude::*;

/// A line with its name.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<[f64; 2]>,
}

/// What a figure is of.
pub(crate) struct Figure<'a> {
    pub(crate) title: &'a str,
    pub(crate) across: &'a str,
    pub(crate) up: &'a str,
    /// Whether the axis across is logarithmic.
    pub(crate) logarithmic: bool,
    pub(crate) lines: Vec<Line>,
}

const SIZE: (u32, u32) = (860, 480);

/// Where a logarithmic axis begins: one in ten thousand.
const LEAST: f64 = 1e-4;

impl Figure<'_> {
    /// As a file's text.
    pub(crate) fn svg(&self) -> Result<String, String> {
        let mut text = String::new();
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        self.draw(&area)
            .map_err(|error| format!("failed to draw {}: {error}", self.title))?;
        drop(area);
        Ok(text)
    }

    fn draw<'a>(
        &self,
        area: &DrawingArea<SVGBackend<'a>, plotters::coord::Shift>,
    ) -> Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>> {
        area.fill(&WHITE)?;
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let most = |axis: usize| points().map(|point| point[axis]).fold(1e-9, f64::max);
        // A logarithmic axis is drawn as its logarithm.
        let place = |point: &[f64; 2]| {
            let across = if self.logarithmic {
                point[0].max(LEAST).log10()
            } else {
                point[0]
            };
            (across, point[1])
        };
        let across = if self.logarithmic {
            LEAST.log10()..0.0
        } else {
            0.0..most(0)
        };
        let mut chart = ChartBuilder::on(area)
            .caption(self.title, ("sans-serif", 20))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .right_y_label_area_size(190)
            .build_cartesian_2d(across, 0.0..most(1) * 1.05)?;
        let logarithmic = self.logarithmic;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_desc(self.across)
            .y_desc(self.up)
            .x_labels(if logarithmic { 5 } else { 8 })
            .x_label_formatter(&|value: &f64| {
                if logarithmic {
                    format!("{} %", 10f64.powf(value + 2.0))
                } else {
                    format!("{value:.0}")
                }
            })
            .draw()?;
        for (number, line) in self.lines.iter().enumerate() {
            let ours = line.name.starts_with("D12");
            let colour = Palette99::pick(number).to_rgba();
            let style = colour.stroke_width(if ours { 4 } else { 2 });
            let series = LineSeries::new(line.points.iter().map(place), style);
            chart
                .draw_series(series)?
                .label(&line.name)
                .legend(move |(x, y)| {
                    PathElement::new(
                        [(x, y), (x + 18, y)],
                        colour.stroke_width(if ours { 4 } else { 2 }),
                    )
                });
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::Coordinate(598, 8))
            .background_style(WHITE.mix(0.9))
            .label_font(("sans-serif", 12))
            .draw()?;
        area.present()
    }
}
