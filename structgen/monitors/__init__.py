"""Monitors: what an analysis of the program around knows narrows what a constraint allows, where names are due.

question.py   what an analysis is asked, and answers;  monitor.py  what a monitor is, and its report
lexical/      where in a program a text stands, byte by byte
cursor.py     a file and a place in it;  members.py  the monitor of member names;  imports.py  of imported ones
cases.py      of enum constants
arguments.py  the monitor of calls: how many arguments, which keywords;  signatures.py  what functions take
region.py     where a monitor looks: fences, tags, arguments of tool calls
typestate.py  which methods may be called next;  forbidden.py  names that must not be used: both without a server
names.py      a set of names as what may be written next
monitored.py  Monitored: a constraint with a monitor, states of both as one int (watched.py)
states.py     of names;  crossings.py  tokens in which a name begins;  rows.py  their mask rows
gates.py      of bytes that are refused, and their mask rows
analyses/     a table, Jedi, language servers
"""

from structgen.monitors.analyses.in_process import Jedi
from structgen.monitors.analyses.session import Session, server
from structgen.monitors.arguments import Arguments
from structgen.monitors.cases import Cases
from structgen.monitors.forbidden import Forbidden
from structgen.monitors.imports import Imports
from structgen.monitors.members import Members
from structgen.monitors.monitor import Monitor, Report
from structgen.monitors.monitored import Monitored, monitored
from structgen.monitors.question import Analysis, Question, Silent
from structgen.monitors.region import Region
from structgen.monitors.signatures import Parameter, Signature
from structgen.monitors.typestate import Typestate

__all__ = [
    "Analysis",
    "Arguments",
    "Cases",
    "Forbidden",
    "Imports",
    "Jedi",
    "Members",
    "Monitor",
    "Monitored",
    "Parameter",
    "Question",
    "Region",
    "Report",
    "Session",
    "Signature",
    "Silent",
    "Typestate",
    "monitored",
    "server",
]
