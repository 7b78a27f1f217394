"""GDAL reads a TIFF in a regular file, and nothing that this file, or something beside it, points to."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from mine_robot.pipeline.loading import LoadError
from mine_robot.pipeline.rasters import open_raster


def written(path: Path) -> Path:
    values = np.arange(16.0, dtype=np.float32).reshape(4, 4)
    place = {"crs": "EPSG:4326", "transform": from_origin(47.0, 40.0, 1e-5, 1e-5)}
    with rasterio.open(path, "w", driver="GTiff", width=4, height=4, count=1, dtype="float32", **place) as image:
        image.write(values, 1)
    return path


def vrt(source: str) -> str:
    return (
        '<VRTDataset rasterXSize="4" rasterYSize="4"><SRS>EPSG:4326</SRS><GeoTransform>47,1e-5,0,40,0,-1e-5</GeoTransform>'
        f'<VRTRasterBand dataType="Float32" band="1"><SimpleSource><SourceFilename relativeToVRT="0">{source}</SourceFilename>'
        "<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
    )


WMS = '<GDAL_WMS><Service name="WMS"><ServerUrl>http://127.0.0.1:{port}/</ServerUrl></Service></GDAL_WMS>'
WCS = "<WCS_GDAL><ServiceURL>http://127.0.0.1:{port}/?</ServiceURL><CoverageName>x</CoverageName></WCS_GDAL>"


class Listener:
    """Counts who connects to a port of this machine."""

    def __init__(self) -> None:
        self.visitors = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                visitor, _ = self._socket.accept()
            except OSError:
                return
            self.visitors += 1
            visitor.close()

    def close(self) -> None:
        self._socket.close()


def refused(path: Path) -> str:
    with pytest.raises(LoadError) as caught, open_raster(path) as image:
        image.read(1)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    return str(caught.value)


def test_a_geotiff_is_read(tmp_path: Path) -> None:
    with open_raster(written(tmp_path / "x.tif")) as image:
        assert image.read(1)[3, 3] == 15.0


@pytest.mark.parametrize("name", ["x.tif", "x.vrt", "x.xml"])
def test_files_that_point_elsewhere_are_refused_and_nobody_is_asked(tmp_path: Path, name: str) -> None:
    listener = Listener()
    try:
        secret = written(tmp_path / "secret.tif")
        web = f"/vsicurl/http://127.0.0.1:{listener.port}/x.tif"
        for content in (vrt(str(secret)), vrt(web), WMS.format(port=listener.port), WCS.format(port=listener.port), ""):
            path = tmp_path / name
            path.write_text(content)
            assert "not a GeoTIFF" in refused(path)
    finally:
        listener.close()
    assert listener.visitors == 0


@pytest.mark.parametrize(
    "address",
    [
        "/vsicurl/http://127.0.0.1:{port}/x.tif",
        "http://127.0.0.1:{port}/x.tif",
        "/vsizip/x.zip/x.tif",
        "GTIFF_DIR:1:x.tif",
    ],
)
def test_addresses_are_no_files(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    listener = Listener()
    written(tmp_path / "x.tif")
    try:
        assert "no such file" in refused(Path(address.format(port=listener.port)))
    finally:
        listener.close()
    assert listener.visitors == 0


def test_other_formats_and_companions_are_not_looked_at(tmp_path: Path) -> None:
    assert "not a GeoTIFF" in refused(_png(tmp_path / "x.tif"))
    plain = tmp_path / "y.tif"
    with rasterio.open(plain, "w", driver="GTiff", width=4, height=4, count=1, dtype="uint8") as image:
        image.write(np.ones((4, 4), dtype=np.uint8), 1)
    beside = "<PAMDataset><SRS>EPSG:4326</SRS><GeoTransform>47,1e-5,0,40,0,-1e-5</GeoTransform></PAMDataset>"
    (tmp_path / "y.tif.aux.xml").write_text(beside)
    assert "does not say where" in refused(plain)


def _png(path: Path) -> Path:
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 100)
    return path


def test_a_torn_tiff_is_one_line(tmp_path: Path) -> None:
    content = written(tmp_path / "x.tif").read_bytes()
    for size in range(4, len(content), 7):
        path = tmp_path / "torn.tif"
        path.write_bytes(content[:size])
        try:
            with open_raster(path) as image:
                image.read(1)
        except LoadError as error:
            assert "\n" not in str(error)
