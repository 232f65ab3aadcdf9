"""What may be wrong: with the installation, a database, folders, a config. Nothing is changed."""

from autolr.doctor.finding import Finding as Finding
from autolr.doctor.finding import Section as Section
from autolr.doctor.finding import verdict as verdict
