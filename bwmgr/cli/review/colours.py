"""The colours of the chart's lines, by names that both the chart and the text below it know."""

RATE, LIMIT, PROPOSED, CIR = "cyan", "red", "green", "blue"
