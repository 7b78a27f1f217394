"""Plans from the state of the ledger: to search what remains, to bring the marker over a target, to go home.

A plan never builds on an older one, so the first plan, the plan after a find and the plan after a restart are the same thing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from mine_robot.core.limits import Limits
from mine_robot.core.robot import Robot
from mine_robot.core.types import Cell, LedgerGrid, Plan, PlanGap, Pose2, Target
from mine_robot.coverage import gaps
from mine_robot.coverage.approach import approach
from mine_robot.coverage.border import main_directions
from mine_robot.coverage.escape import drive_moves, ways_out
from mine_robot.coverage.footprint import Footprint
from mine_robot.coverage.ground import HAZARD, OBSTACLE, PENDING, Ground, Mask, Window
from mine_robot.coverage.layout import Layout, reckon
from mine_robot.coverage.links import Links
from mine_robot.coverage.opening import open_strips, search_rims, search_wedge
from mine_robot.coverage.params import CoverageParams
from mine_robot.coverage.route import Route, stay
from mine_robot.coverage.search import Search
from mine_robot.coverage.strip import lay_strips
from mine_robot.coverage.tiles import grown
from mine_robot.coverage.transit import TurningGround
from mine_robot.coverage.wedge import find_wedge

SAME_COVERAGE_M2 = 0.5  # plans that leave about as little ground are compared by their time
HOME_HEADINGS = (16, 64)  # of the straight drives between places to turn; the finer ones if the others do not lead home
REST_S_PER_M2 = 20.0  # typical time to search ground that the main lanes leave
COMPLETED = 1  # directions that are planned to the end if these reach all the ground


class Planner:
    """Plans for a robot under limits; holds no state.

    ``obstacles`` (rows, columns) are cells the head must not enter (no-go zones), ``keep_off`` cells that no track may touch even when
    searched (they reach beyond the field). ``lane_direction`` in rad is that of all lanes, None for whichever suit the ground.
    """

    def __init__(
        self, params: CoverageParams, limits: Limits, robot: Robot, lane_direction: float | None = None
    ) -> None:
        self.lane_direction = lane_direction
        self.params = params
        self.limits = limits
        self.robot = robot
        self.footprint = Footprint.of(robot, limits, params)

    def plan_search(
        self, grid: LedgerGrid, pose: Pose2, t: float, *, obstacles: Mask | None = None, keep_off: Mask | None = None
    ) -> tuple[Plan, Layout | None]:
        """Search all ground within reach; what is not is listed as gaps, cell by cell. With the lanes' layout, None if there are none."""
        ground = Ground(grid, self.footprint, obstacles, keep_off)
        layout = self._layout_of_large(ground)
        best = self._best_of_all(ground, pose) if layout is None else self._search(ground, pose, layout)
        if best is None:
            return Plan(t, (), tuple(self._gaps(grid, ground))), None
        return self._plan_of(best, grid, t), best.layout

    def layout_of_large(
        self, grid: LedgerGrid, *, obstacles: Mask | None = None, keep_off: Mask | None = None
    ) -> Layout | None:
        """The layout of a field that asks for one, or so large that :meth:`plan_search` would take minutes; None for others."""
        return self._layout_of_large(Ground(grid, self.footprint, obstacles, keep_off))

    def _layout_of_large(self, ground: Ground) -> Layout | None:
        if self.lane_direction is not None:
            return Layout(self.lane_direction)
        if not self._is_large(ground):
            return None
        return reckon(ground, main_directions(ground.all_of(PENDING), self.params.directions), self.limits)

    def _is_large(self, ground: Ground) -> bool:
        return bool(np.count_nonzero(ground.all_of(HAZARD)) * ground.resolution**2 > self.params.compare_area)

    def _search(self, ground: Ground, pose: Pose2, layout: Layout, horizon: float = math.inf) -> Search:
        """A search in a given layout, up to ``horizon`` s of it."""
        near = layout.strips or self._is_large(ground)
        search = Search(ground, pose, self.limits, self.params, self.footprint, layout, horizon, near)
        wedge = find_wedge(ground) if layout.wedge else None
        if wedge is not None:
            search_wedge(search, wedge)
        if layout.strips:
            open_strips(search)
        search.main_lanes()
        if self.lane_direction is None:
            search.pockets()
            if layout.strips or layout.wedge:
                search_rims(search)
        search.rest(turned=self.lane_direction is None)
        return search

    def _best_of_all(self, ground: Ground, pose: Pose2) -> Search | None:
        """The best search of those from the middle of a wedge, and in all directions, with strips and without."""
        directions = main_directions(ground.all_of(PENDING), self.params.directions)
        layouts = [Layout(direction, strips=True) for direction in directions if lay_strips(ground, direction)]
        wedge = find_wedge(ground)
        if wedge is not None:
            layouts.insert(0, Layout(wedge.middle.heading, wedge=True))
        found: list[Search] = []
        for layout in layouts:
            found.append(self._search(ground.copy(), pose, layout, _time_to_beat(best_of(found))))
        return self._best_of_directions(ground, pose, directions, found)

    def _best_of_directions(
        self, ground: Ground, pose: Pose2, directions: list[float], found: list[Search]
    ) -> Search | None:
        """The best of the searches ``found`` and those whose lanes are backed out of, or end where the robot can turn anyway."""
        starts = []
        for direction in directions:
            to_beat = _time_to_beat(best_of(found))
            search = Search(ground.copy(), pose, self.limits, self.params, self.footprint, Layout(direction), to_beat)
            if search.shut_in:
                return search
            search.main_lanes()
            starts.append(search)
        # The rest is slow to gather, so directions whose main lanes leave much ground are completed only if nothing else is left to try.
        starts.sort(key=lambda search: search.route.duration + REST_S_PER_M2 * search.left)
        for number, search in enumerate(starts):
            best = best_of(found)
            if best is not None and number >= COMPLETED and best.left <= SAME_COVERAGE_M2:
                break
            search.horizon = _time_to_beat(best)
            search.pockets()
            search.rest()
            found.append(search)
        return best_of(found)

    def plan_on(
        self,
        grid: LedgerGrid,
        pose: Pose2,
        t: float,
        layout: Layout,
        *,
        obstacles: Mask | None = None,
        keep_off: Mask | None = None,
    ) -> Plan:
        """Go on with a search that has a ``layout``, for about ``params.horizon`` s; if more is left, only halos are listed.

        What lies farther ahead is not worth planning: a find or a dropout will have changed it by then.
        """
        ground = Ground(grid, self.footprint, obstacles, keep_off)
        return self._plan_of(self._search(ground, pose, layout, self.params.horizon), grid, t)

    def plan_target(
        self,
        grid: LedgerGrid,
        pose: Pose2,
        target: Target,
        t: float,
        *,
        obstacles: Mask | None = None,
        keep_off: Mask | None = None,
    ) -> Plan:
        """Bring the marker's slide over ``target``; no steps if no pose from which it is reached can be driven to.

        A single step of no length means that the robot already stands right.
        """
        ground = Ground(grid, self.footprint, obstacles, keep_off)
        return Plan(t, approach(ground, pose, target, self.robot, self.limits))

    def plan_home(
        self,
        grid: LedgerGrid,
        pose: Pose2,
        home: Pose2,
        t: float,
        *,
        obstacles: Mask | None = None,
        keep_off: Mask | None = None,
    ) -> Plan:
        """Go to ``home``, or, where that cannot be reached, to the nearest safe ground; no steps if the robot is shut in.

        A way that leaves room for an error of tracking is taken if there is one, else one without: the robot drove in over this ground with
        that error, and the guard watches every metre.
        """
        ground = Ground(grid, self.footprint, obstacles, keep_off)
        safe = grid.cells == Cell.SAFE
        for room in (ground, ground.tight()):
            turning = TurningGround(room)
            for count in HOME_HEADINGS:
                route = Route(room, pose, self.limits)
                if self._leave_for_home(route, turning, home, safe, count):
                    return Plan(t, tuple(route.steps) or (stay(pose, self.limits),))
        return Plan(t, ())

    def _leave_for_home(self, route: Route, turning: TurningGround, home: Pose2, safe: Mask, count: int) -> bool:
        """Drive home from wherever the robot stands, through lanes in one of ``count`` headings."""
        links = Links(route.ground, turning, (2.0 * math.pi * i / count for i in range(count)))
        start = route.mark()
        for leave in ways_out(route, turning):
            if drive_moves(route, leave) and self._drive_home(route, turning, links, home, safe):
                return True
            route.rewind(start)
        return False

    def _drive_home(self, route: Route, turning: TurningGround, links: Links, home: Pose2, safe: Mask) -> bool:
        """Drive to home itself, or along its heading from where the robot can turn, or to the nearest safe turning ground."""
        ground = route.ground
        start = route.mark()
        for spot, distance in home_spots(ground, turning, home):
            if links.drive_to(route, spot) and route.turn(home.yaw) and route.drive(distance):
                return True
            route.rewind(start)
        here = turning.label(route.pose.x, route.pose.y)
        x, y = ground.centres((turning.parts() == here) & safe)
        if not len(x):
            return False
        nearest = int(np.argmin(np.hypot(x - home.x, y - home.y)))
        return links.drive_to(route, (float(x[nearest]), float(y[nearest])))

    def _plan_of(self, search: Search, grid: LedgerGrid, t: float) -> Plan:
        """The plan of a search; what a search leaves that was cut short, or that could not begin, is not a gap."""
        open_end = search.cut or (search.shut_in and search.left > 0.0)
        found = halo_gaps(grid) if open_end else self._gaps(grid, search.ground)
        return Plan(t, tuple(search.route.steps), tuple(found), not open_end)

    def _gaps(self, grid: LedgerGrid, ground: Ground) -> list[PlanGap]:
        """Gaps of the raster: halos, then each connected remainder with the likeliest reason.

        A cell that only touches a no-go zone is closed as a whole: what of it lies beside the zone is a gap too.
        """
        found = halo_gaps(grid)
        pending = ground.all_of(PENDING).astype(np.uint8)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(pending, connectivity=4)
        near = math.ceil((self.footprint.box.y_max + self.params.sweep_margin) / grid.resolution) + 2
        by_reason: dict[str, Mask] = {}
        if ground.has_obstacles:
            by_reason[gaps.NEAR_NO_GO] = ground.all_of(OBSTACLE) & (grid.cells == Cell.OUTSIDE)
        for label in range(1, count):
            col, row, width, height = stats[label, :4].tolist()
            window = slice(row, row + height), slice(col, col + width)
            around = grown(window, near + 2, pending.shape)
            reason = _reason(grid, ground, around, labels[around] == label, near)
            mask = by_reason.setdefault(reason, np.zeros(pending.shape, dtype=bool))
            mask[window] |= labels[window] == label
        for reason, mask in by_reason.items():
            found += gaps.to_gaps(gaps.cells_to_area(mask, grid.x0, grid.y0, grid.resolution), reason)
        return found


def best_of(found: Sequence[Search]) -> Search | None:
    """The one that takes least time of those that leave about as little ground as the one that leaves least."""
    least = min((search.left for search in found), default=0.0) + SAME_COVERAGE_M2
    return min(
        (search for search in found if search.left <= least), key=lambda search: search.route.duration, default=None
    )


def _time_to_beat(best: Search | None) -> float:
    """Time in s beyond which another search cannot be better."""
    return math.inf if best is None or best.left > SAME_COVERAGE_M2 else best.route.duration


def _reason(grid: LedgerGrid, ground: Ground, window: Window, part: Mask, near: int) -> str:
    """Why a connected ``part`` of ``window`` is left: what it touches, if it is all within ``near`` cells of that, or else unreachable."""
    obstacles = ground.all_of(OBSTACLE, window)
    outside = (grid.cells[window] == Cell.OUTSIDE) & ~obstacles
    halo = grid.cells[window] == Cell.HALO
    for mask, name in ((halo, gaps.NEAR_HALO), (obstacles, gaps.NEAR_NO_GO), (outside, gaps.NEAR_BORDER)):
        if not mask.any():
            continue
        distance = np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE))[part]
        if np.median(distance.astype(float)) <= near and distance.min() <= 2.0:
            return name
    return gaps.UNREACHABLE


def halo_gaps(grid: LedgerGrid) -> list[PlanGap]:
    """The halos of the raster."""
    return list(gaps.to_gaps(gaps.cells_to_area(grid.cells == Cell.HALO, grid.x0, grid.y0, grid.resolution), gaps.HALO))


def home_spots(ground: Ground, turning: TurningGround, home: Pose2) -> list[tuple[tuple[float, float], float]]:
    """Places to turn to the heading of ``home``, and the straight distance from there to it."""
    spots = []
    for i in range(round(4.0 / ground.resolution)):
        for sign in (1.0, -1.0):
            distance = sign * i * ground.resolution
            spot = (home.x - distance * math.cos(home.yaw), home.y - distance * math.sin(home.yaw))
            if turning.label(*spot) and ground.can_drive(Pose2(*spot, home.yaw), distance):
                spots.append((spot, distance))
                break
        if len(spots) >= 3:
            break
    return spots
