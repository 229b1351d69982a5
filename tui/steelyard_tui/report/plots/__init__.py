"""The pictures: charts drawn by matplotlib as SVG that takes its colours and its type from the page around it."""
