"""Pages and charts: HTML and SVG that need no network and no script."""

from autolr.drawing.chart import Chart as Chart
from autolr.drawing.svg import Axis as Axis
from autolr.drawing.svg import Frame as Frame
from autolr.drawing.svg import Point as Point
