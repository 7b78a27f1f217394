"""Use of GNSS fixes: what is believed of them, which are refused, and when the filter follows fixes that it would refuse."""

from __future__ import annotations

import math

import numpy as np

from mine_robot.core.geodesy import Datum
from mine_robot.core.types import Array, FixStatus, GnssFix
from mine_robot.localization import models
from mine_robot.localization.checks import covariance_known
from mine_robot.localization.filter import GNSS_ERROR, POSITION, ErrorStateFilter, Measurement
from mine_robot.localization.gating import RETURN_SHARE, RETURN_SIGMAS, Doubt, Gate, Refusals
from mine_robot.localization.memory import WHEELS_FRESH_S, Memory
from mine_robot.localization.params import GnssNoise
from mine_robot.localization.walking import Correction, Pull, Travel

VERTICAL_RATIO = 1.5  # vertical floor of a GNSS sigma in units of the horizontal one
START_POSITION = 10.0  # m: prior that the next measurement replaces
SUSPECT_SPEED = 0.5  # m/s: so fast the position may go wrong on inertia alone while fixes contradict it
STEADY_S = 1.0  # fixes that stay for so long while the robot stands have not walked before
STRAIGHT_RATE, STRAIGHT_SPEED = 0.1, 0.05  # rad/s, m/s: in turns the skid moves the robot aside
FROZEN_SPEED = 0.1  # m/s above which fixes cannot repeat their coordinates
RENEWING = 10.0  # claimed variances that differ by more than this factor belong to different solutions of the receiver
FELT_S = 3.0  # so long after the accelerometers felt the tracks slip, a pull is no surprise


class FixUse:
    """Weighs fixes against the filter; lever arms ``antenna`` and ``base`` (3,) are from the IMU, in m."""

    def __init__(
        self, params: GnssNoise, datum: Datum, filter_: ErrorStateFilter, gate: Gate, antenna: Array, base: Array
    ) -> None:
        self._params, self._datum, self._filter, self._gate = params, datum, filter_, gate
        self._antenna, self._base = antenna, base
        self._floors = {
            FixStatus.SINGLE: params.single_floor,
            FixStatus.FLOAT: params.float_floor,
            FixStatus.FIXED: params.fixed_floor,
        }

    def first(self, memory: Memory, fix: GnssFix) -> None:
        """Take the position from the first fix."""
        filter_ = self._filter
        antenna = self._datum.to_map(fix.longitude, fix.latitude, fix.height)
        filter_.position = antenna - filter_.base_attitude @ self._antenna
        white = self._describe(memory, fix)
        filter_.apply(filter_.compare(models.gnss_position(filter_, self._antenna, antenna, white)))
        memory.fix_t = fix.t

    def use(self, memory: Memory, fix: GnssFix) -> None:
        """Correct the filter with a fix, or refuse it."""
        filter_ = self._filter
        interval, memory.fix_t = min(fix.t - memory.fix_t, 1.0), fix.t
        place = (fix.longitude, fix.latitude, fix.height)
        memory.frozen = place == memory.last_place and float(np.hypot(*filter_.velocity[:2])) > FROZEN_SPEED
        memory.last_place = place
        refusals = memory.gates.get("gnss", Refusals())
        antenna = self._datum.to_map(*place)
        scatter = self._params.jitter**2 * np.outer(filter_.velocity, filter_.velocity)
        noise = self._describe(memory, fix) + scatter
        measurement = models.gnss_position(filter_, self._antenna, antenna, noise)
        good = not memory.frozen and self._gate.passes(filter_.compare(measurement))
        if good and refusals.refuses:
            self._judge_agreement(memory, fix.t, measurement)
        elif not (good or memory.frozen) and self._believe(memory, fix.t, measurement, refusals):
            good = True
            filter_.relocate(measurement.residual, START_POSITION**2)
            measurement = models.gnss_position(filter_, self._antenna, antenna, noise)
        memory.gates["gnss"] = refusals.after(fix.t, good)
        if not good:
            memory.refused = measurement.residual[:2]
            if fix.t - memory.wheels_t > WHEELS_FRESH_S:
                self._suspect_inertial(interval)
            else:
                memory.pull = memory.pull.carried(self._place() - memory.way)
            return
        self._follow(memory, fix.t, measurement)
        self._compare_at_rest(memory, fix.t, antenna, _sigma(measurement))

    # --- belief ------------------------------------------------------------------------------------------------------
    def _describe(self, memory: Memory, fix: GnssFix) -> Array:
        """Tell the filter how the fix errs; returns the white part (3, 3) of its covariance."""
        params = self._params
        covariance = self._believed(fix)
        share = params.correlated_share
        variance = tuple((share * np.diag(covariance)).tolist())
        renew = fix.status != memory.used_status or _differs(variance, memory.used_covariance)
        if renew or variance != memory.used_covariance:
            self._filter.set_aiding(GNSS_ERROR, np.array(variance), params.correlation_time, renew=renew)
            memory.used_status, memory.used_covariance = fix.status, variance
        return np.asarray((1.0 - share) * covariance)

    def _believed(self, fix: GnssFix) -> Array:
        """The fix's covariance (3, 3) with its variances raised to the floors of its status; a multiple of those if it has none."""
        floor = self._floors[fix.status]
        shape = np.array([floor, floor, VERTICAL_RATIO * floor]) ** 2
        covariance = np.array(fix.covariance, dtype=float)
        if not covariance_known(covariance):
            return np.diag(self._params.unknown_factor**2 * shape)
        return np.asarray(covariance + np.diag(np.maximum(shape - np.diag(covariance), 0.0)))

    def _believe(self, memory: Memory, t: float, measurement: Measurement, refusals: Refusals) -> bool:
        """Whether to follow a fix that the filter would refuse: because it undoes what is in doubt, or because fixes insisted."""
        off, sigma = measurement.residual[:2], _sigma(measurement)
        doubt = memory.doubts["gnss"]
        if (doubt.active(t) and doubt.undone_by(off, sigma)) or memory.pull.undone_by(off, sigma):
            memory.doubts["gnss"], memory.pull = Doubt(), Pull()
        elif refusals.lasting(t) >= self._params.recovery:
            memory.doubts["gnss"] = Doubt(t, off, self._params.doubt)
        else:
            return False
        return True

    def _suspect_inertial(self, interval: float) -> None:
        """Without tracks to speak for it, the inertial solution may as well be wrong as a fix that contradicts it.

        It is the position that they disagree about: blamed on the heading, fixes refused at rest swing it as soon as the robot moves.
        """
        self._filter.inflate_states(POSITION, (SUSPECT_SPEED * interval) ** 2)

    def _judge_agreement(self, memory: Memory, t: float, measurement: Measurement) -> None:
        """Fixes are plausible again. If they have come to where the filter stayed, they are right now. If they are where they were when
        refused, the position has only become vague meanwhile: they are doubted as if the filter had given in to them.
        """
        off, refused = measurement.residual[:2], memory.refused
        size, slack = float(np.linalg.norm(refused)), RETURN_SIGMAS * _sigma(measurement)
        if float(np.linalg.norm(off)) < RETURN_SHARE * size:
            if memory.pull.active:
                memory.doubts["gnss"], memory.pull = Doubt(), Pull()
            return
        same = float(np.linalg.norm(off - refused)) < RETURN_SHARE * size
        if same and size > slack and not memory.doubts["gnss"].active(t):
            memory.doubts["gnss"] = Doubt(t, off, self._params.doubt)

    # --- walking -----------------------------------------------------------------------------------------------------
    def _follow(self, memory: Memory, t: float, measurement: Measurement) -> None:
        """Correct the position, and watch whether corrections add up (:mod:`mine_robot.localization.walking`)."""
        filter_ = self._filter
        innovation = filter_.compare(measurement)
        if t - memory.wheels_t > WHEELS_FRESH_S:  # without tracks the inertial unit tells the way
            memory.way = memory.way + self._place() - memory.place
        before = self._place() - memory.way
        filter_.apply(innovation)
        memory.place = self._place()
        gain = innovation.gain[:2]
        correction = Correction(t, gain @ measurement.residual, gain @ innovation.cross[:2].T, before)
        apart = memory.place - memory.way
        memory.pull = memory.pull.after(correction, apart, self._travel(memory, t), self._params.doubt)

    def _place(self) -> Array:
        """Where (2,) ``base_link`` is in ``map``."""
        return np.asarray((self._filter.position + self._filter.base_attitude @ self._base)[:2])

    def _travel(self, memory: Memory, t: float) -> Travel:
        x, y = self._filter.base_attitude[:2, 0].tolist()
        sign = math.copysign(1.0, memory.speed) / max(math.hypot(x, y), 1e-6)
        straight = abs(self._filter.rate.item(2)) < STRAIGHT_RATE and abs(memory.speed) > STRAIGHT_SPEED
        return Travel(np.array([sign * x, sign * y]), straight, t - memory.felt_t < FELT_S)

    def _compare_at_rest(self, memory: Memory, t: float, antenna: Array, sigma: float) -> None:
        """Fixes that stay while the robot stands have not walked before, if they moved as slip would: it was slip."""
        if not memory.still:
            memory.still_fix = None
        elif memory.still_fix is None:
            memory.still_fix = (t, antenna)
        elif memory.pull.active and t - memory.still_fix[0] >= STEADY_S:
            moved = float(np.hypot(*(antenna - memory.still_fix[1])[:2]))
            if moved > RETURN_SIGMAS * sigma:
                memory.pull = memory.pull.as_walked()
            elif memory.pull.like_slip:
                memory.pull = Pull()


def _differs(variance: tuple[float, ...], before: tuple[float, ...]) -> bool:
    """Whether a receiver that claims ``variance`` has found another solution: what it erred by before says nothing of it."""
    return any(not 1.0 / RENEWING <= new / old <= RENEWING for new, old in zip(variance, before) if old > 0.0)


def _sigma(measurement: Measurement) -> float:
    """Horizontal sigma in m of a fix's white noise."""
    return math.sqrt(float(np.trace(measurement.noise[:2, :2])))
