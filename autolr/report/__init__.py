"""Reports of a study: tables, pages, and files that work without autolr."""

from autolr.report.estimate import bytes_text as bytes_text
from autolr.report.estimate import estimate_lines as estimate_lines
from autolr.report.estimate import estimate_parts as estimate_parts
from autolr.report.export import artefacts as artefacts
from autolr.report.export import best_config as best_config
from autolr.report.export import weights_of as weights_of
from autolr.report.files import name_of as name_of
from autolr.report.files import results_folder as results_folder
from autolr.report.files import write_report as write_report
from autolr.report.fitting_table import FittingTable as FittingTable
from autolr.report.html_tables import time_text as time_text
from autolr.report.page import study_charts as study_charts
from autolr.report.page import study_page as study_page
from autolr.report.show import studies_table as studies_table
from autolr.report.show import study_parts as study_parts
from autolr.report.show import study_to_dict as study_to_dict
from autolr.report.show import trials_table as trials_table
from autolr.report.statistics import unrepeated as unrepeated
from autolr.report.table import best_table as best_table
from autolr.report.table import brackets_table as brackets_table
from autolr.report.table import chosen as chosen
from autolr.report.table import params_text as params_text
from autolr.report.trials_file import trials_frame as trials_frame
from autolr.report.trials_file import write_trials as write_trials
