"""Package metadata for both `pip install .` and `colcon build` (ament_python)."""

from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = "mine_robot"
SHARE = Path("share") / PACKAGE
HERE = Path(__file__).parent

# The one list of run-time requirements; versions are pinned in constraints.txt.
REQUIREMENTS = [
    "defusedxml",
    "jinja2",
    "matplotlib",
    "mcap>=1.6",
    "mgrs",
    "numpy",
    "opencv-python-headless",
    "openpyxl",
    "psutil",
    "pydantic",
    "pyproj",
    "pyserial",
    "pyshp",
    "pyyaml",
    "rich",
    "rosbags",
    "scipy",
    "shapely",
    "starlette",
    "typer",
    "uvicorn",
    "websockets",
    "xacro",
    "zstandard",
    "ros-jazzy-rclpy[fastrtps]; sys_platform == 'linux'",
    "ros-jazzy-diagnostic-msgs; sys_platform == 'linux'",
    "ros-jazzy-geometry-msgs; sys_platform == 'linux'",
    "ros-jazzy-nav-msgs; sys_platform == 'linux'",
    "ros-jazzy-rosgraph-msgs; sys_platform == 'linux'",
    "ros-jazzy-sensor-msgs; sys_platform == 'linux'",
    "ros-jazzy-std-msgs; sys_platform == 'linux'",
    "ros-jazzy-std-srvs; sys_platform == 'linux'",
]
GAZEBO_REQUIREMENTS = ["grpcio-tools", "protobuf"]  # the messages of Gazebo 11 are generated when it is installed
RASTER_REQUIREMENTS = ["rasterio"]  # a hundred megabytes that only rasters as prior knowledge need
DASK_REQUIREMENTS = ["dask", "distributed"]
TEST_REQUIREMENTS = [
    "hypothesis",
    "mypy",
    "playwright",
    "pyogrio",
    "pytest",
    "pytest-timeout",
    "pytest-xdist",
    "ruff",
    "types-pyyaml",
]


def shared_files() -> list[tuple[str, list[str]]]:
    """Data files of the package, at the places where ROS 2 tools look for them."""
    files = {
        str(SHARE): ["package.xml"],
        "share/ament_index/resource_index/packages": [f"resource/{PACKAGE}"],
        f"lib/{PACKAGE}": ["scripts/node"],
    }
    for folder in ("launch", "config", "urdf", "worlds"):
        for path in sorted((HERE / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                relative = path.relative_to(HERE)
                files.setdefault(str(SHARE / relative.parent), []).append(str(relative))
    return sorted(files.items())


setup(
    name=PACKAGE,
    version="0.1.0",
    description="Open control stack for a humanitarian demining robot",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.10",
    packages=find_packages(include=[PACKAGE, f"{PACKAGE}.*"]),
    package_data={PACKAGE: ["**/*.html", "**/*.j2", "**/*.css", "**/*.js", "**/*.json", "**/*.svg", "py.typed"]},
    data_files=shared_files(),
    install_requires=REQUIREMENTS,
    extras_require={
        "test": [*TEST_REQUIREMENTS, *GAZEBO_REQUIREMENTS, *RASTER_REQUIREMENTS, *DASK_REQUIREMENTS],
        "dask": DASK_REQUIREMENTS,
        "gazebo": GAZEBO_REQUIREMENTS,
        "raster": RASTER_REQUIREMENTS,
    },
    entry_points={"console_scripts": ["mine-robot = mine_robot.bringup.cli:main"]},
)
