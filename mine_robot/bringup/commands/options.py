"""Arguments and options that several commands share, and the terminal they write to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mine_robot.bringup.terminal import console as console

FieldFile = Annotated[
    Path, typer.Argument(metavar="FIELD.geojson", help="Field file, GeoJSON or KML (docs/field_files.md).")
]
RunFolder = Annotated[Path, typer.Argument(metavar="DIR", help="Run directory.")]
ParameterFile = Annotated[
    list[Path] | None,
    typer.Option("--params", "--robot", help="Parameter file laid over config/robot.yaml; may be repeated."),
]
LogFile = Annotated[
    Path, typer.Argument(metavar="LOG", help="Run directory, MCAP file, rosbag2 folder, sqlite3 file or ROS 1 bag.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="One parameter, e.g. detector.gpr.threshold=3; may be repeated."),
]
RobotFile = Annotated[Path | None, typer.Option(help="The robot that made the log (URDF or xacro).")]
LogField = Annotated[
    Path | None, typer.Option(help="Field of the log; its datum is the origin, by default the first fix.")
]
Remap = Annotated[
    list[str] | None, typer.Option(metavar="FROM:=TO", help="Take the log's topic FROM as TO, e.g. /fix:=gnss/fix.")
]
ReportLanguage = Annotated[str, typer.Option(help="Language of report and map: en or az.")]
Formats = Annotated[
    list[str] | None,
    typer.Option("--format", help="geojson, kml, shp, xlsx or csv; may be repeated, or a list with commas."),
]
Priors = Annotated[
    Path | None, typer.Option(metavar="P.geojson", help="What is known of the ground beforehand (docs/priors.md).")
]
DaskCluster = Annotated[
    str, typer.Option(metavar="ADDRESS|local", help="Work on a Dask cluster: its scheduler, or one on this machine.")
]
Namespace = Annotated[str, typer.Option(help="ROS namespace of the robot, for several in one DDS domain.")]
Certificate = Annotated[Path | None, typer.Option(metavar="PEM", help="Certificate of the page, for TLS.")]
CertificateKey = Annotated[Path | None, typer.Option(metavar="PEM", help="Key of the certificate.")]
