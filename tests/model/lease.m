-- When may an instance take over the entries of another? A model of src/daebus/queues/lease_scripts.py.
--
-- Read README.md first. Time is a number of ticks. A lease of 6 ticks has a heartbeat every 2 ticks; one of 3 ticks every
-- tick. Ages and expiries are relative to the server's clock, so that there are finitely many states.
--
-- One instance, the owner, has entries. The others may take them over. Their commands for that are not modelled as
-- messages: such a command may run at any time at which the server runs, from an instance that lives, is frozen, or
-- died long ago. This includes commands that waited in the socket of a hanging server, or outlived their connection.

const
  Variant: 0;      -- one of the names below
  Instances: 2;
  Owner: 0;
  LeaseA: 6;       -- of instance 0
  LeaseB: 6;       -- of instance 1
  LeaseC: 6;       -- of instance 2
  LateStart: 0;    -- 1: instance 1 starts later, as in a rolling change
  Hangs: 1;        -- 1: the server may hang, any number of times, for any time
  Chained: 0;      -- 1: it may hang again before it has served what waited meanwhile
  Faults: 1;       -- 1: instances may freeze, die, and lose their connections
  Steps: 0;        -- how often the server's clock is set
  Clock: 0;        -- 0: it is set forward by more than half a lease; 1: forward by less; 2: back
  Losses: 0;       -- how often the registry is lost: deleted, or evicted

  -- The protocol, and mistakes that the checker must find.
  Right: 0;
  Local: 1;        -- the instance that takes over decides; the script only compares scores
  OwnBeat: 2;      -- a gap is what the heartbeat of the instance that takes over shows, not the whole registry
  TakersLease: 3;  -- scores are the times of heartbeats, judged by the lease of whoever looks
  NoRecord: 4;     -- a heartbeat hides the gap before it, also one that was a step of the clock
  NoteMissing: 5;  -- a registry without the note `:answered` counts as one without a gap

  Longest: 6;
  Far: 14;         -- the furthest expiry: a lease, and a clock that was set back by 8
  Past: 4;         -- the greatest age of the note, and
  Ago: -1;         -- the earliest expiry; more makes no difference, unless the clock is set back

type
  instance: 0 .. Instances - 1;
  lease_t: 0 .. Longest;
  left_t: Ago .. Far;

var
  -- The instances. A stalled one has a connection that carries nothing, in either direction.
  state: array [instance] of enum { New, Up, Frozen, Stalled, Dead };
  -- What waits on the connection for heartbeats: nothing, the greeting of a new connection, or a heartbeat.
  socket: array [instance] of enum { Nothing, Hello, Beat };
  timer: array [instance] of 0 .. 2;     -- since the last heartbeat was answered, or since the one in the socket was sent
  pace: array [instance] of 1 .. 2;      -- a third of a lease: between heartbeats, and how long one is waited for
  old: array [instance] of boolean;      -- a heartbeat is still in a connection that was given up
  asked: array [instance] of boolean;    -- only for Local: a decision to take over is in a socket

  -- The server.
  hangs: boolean;
  known: array [instance] of boolean;    -- the registry has the instance, with
  left: array [instance] of left_t;      -- its expiry, from now
  noted: boolean;                        -- the registry has the note `:answered`,
  answered: -8 .. Past;                  -- which is so old
  least: lease_t;                        -- the note `:least`; 0: there is none

  steps: 0 .. Steps;
  losses: 0 .. Losses;

  -- For the properties only: for how long no heartbeat of the owner was served, in true time, and whether the owner was
  -- out of reach since then while the server ran.
  silent: lease_t;
  guilty: boolean;

function lease(i: instance): lease_t;
begin
  if i = 0 then return LeaseA; elsif i = 1 then return LeaseB; else return LeaseC; end;
end;

-- A tick is long: at the end of its last tick a lease may be over, so it counts as over. All this errs on the side of
-- finding a mistake.
function isDead(i: instance): boolean;
begin
  return known[i] & left[i] <= 0;
end;

function leastLiving(mine: lease_t): lease_t;
var found: lease_t;
begin
  found := mine;
  for i: instance do
    if known[i] & !isDead(i) & lease(i) < found then found := lease(i); end;
  end;
  return found;
end;

-- STEP: what every script does first.
procedure step(me: instance);
var passed: 0 .. 12;
begin
  passed := answered < 0 ? -answered : answered;  -- also if the clock was set back
  if !noted then
    passed := Variant = NoteMissing ? 0 : 8;
  elsif least != 0 & 2 * passed <= least then
    passed := 0;
  end;
  for m: instance do
    if known[m] & 2 * passed > lease(m) then left[m] := lease(m); end;
  end;
  if noted & passed > 0 then least := leastLiving(lease(me)); end;
  if noted | Variant != NoteMissing then noted := true; answered := 0; end;
end;

-- BEAT.
procedure beat(i: instance);
begin
  if Variant = Right | Variant = NoteMissing then step(i); end;
  known[i] := true; left[i] := lease(i);
  noted := true; answered := 0;
  if least != lease(i) then least := leastLiving(lease(i)); end;
  pace[i] := least < 3 | Variant = TakersLease & lease(i) < 3 ? 1 : (Variant = TakersLease ? lease(i) : least) / 3;
  if i = Owner then silent := 0; guilty := false; end;
end;

-- CONFIRM, from the owner, which owns the entry.
procedure confirm();
begin
  step(Owner);
  known[Owner] := true; left[Owner] := lease(Owner);
  silent := 0; guilty := false;
end;

-- Whether the instance `t` regards the owner as dead, in TAKE_OVER, after the step.
function ownerIsDead(t: instance): boolean;
begin
  if Variant = TakersLease then return known[Owner] & lease(Owner) - left[Owner] >= lease(t); end;
  if Variant = OwnBeat & 2 * (lease(t) - left[t]) > lease(t) then return false; end;
  return isDead(Owner);
end;

-- TAKE_OVER, from the instance `t`. An owner that the registry does not know becomes a member.
procedure takeOver(t: instance);
begin
  if Variant = Right | Variant = NoRecord | Variant = NoteMissing then step(t); end;
  if known[t] & left[t] >= 0 then
    if !known[Owner] then
      known[Owner] := true; left[Owner] := lease(Owner);
    elsif ownerIsDead(t) then
      assert silent >= lease(Owner) | steps > 0 & Clock = 1 & 2 * silent >= lease(Owner)
        "an owner is robbed before its lease is over";
      assert state[Owner] != Up | guilty "an owner is robbed that sent each heartbeat in time";
    end;
  end;
end;

-- No instance that runs has something to do at once.
function prompt(): boolean;
begin
  return forall i: instance do (state[i] = Up | state[i] = Stalled) -> timer[i] < pace[i] end;
end;

-- And the server has served all that reached it.
function quiet(): boolean;
begin
  return prompt() & (hangs | forall i: instance do socket[i] = Nothing | state[i] = Stalled end);
end;

procedure blame();
begin
  if state[Owner] != Up then guilty := true; end;
end;

startstate
begin
  for i: instance do
    state[i] := Up; socket[i] := Nothing; timer[i] := 0; old[i] := false; asked[i] := false;
    known[i] := true; left[i] := lease(i);
  end;
  if LateStart = 1 then state[1] := New; known[1] := false; left[1] := 0; end;
  hangs := false; noted := true; answered := 0; steps := 0; losses := 0; silent := 0; guilty := false;
  least := leastLiving(Longest);
  for i: instance do pace[i] := least < 3 ? 1 : least / 3; end;
  if Variant = TakersLease then for i: instance do pace[i] := lease(i) < 3 ? 1 : lease(i) / 3; end; end;
end;

-- Nothing is late: what can happen at once happens before the next tick.
rule "a tick passes"
  quiet()
==> begin
  if !hangs then blame(); end;
  for i: instance do
    if state[i] != Dead & state[i] != New & timer[i] < pace[i] then timer[i] := timer[i] + 1; end;
    if known[i] & left[i] > Ago then left[i] := left[i] - 1; end;
  end;
  if noted & answered < Past then answered := answered + 1; end;
  if silent < lease(Owner) then silent := silent + 1; end;
end;

ruleset i: instance do
  rule "starts"
    state[i] = New
  ==> begin state[i] := Up; socket[i] := Hello; timer[i] := 0; pace[i] := lease(i) < 3 ? 1 : lease(i) / 3; end;

  rule "sends a heartbeat"
    (state[i] = Up | state[i] = Stalled) & socket[i] = Nothing & timer[i] >= pace[i]
  ==> begin socket[i] := Beat; timer[i] := 0; end;

  -- The heartbeat may still be executed, also after this instance is dead.
  rule "gives up its connection and opens another"
    (state[i] = Up | state[i] = Stalled) & socket[i] != Nothing & timer[i] >= pace[i]
  ==> begin
    if socket[i] = Beat then old[i] := true; end;
    socket[i] := Hello; timer[i] := 0;
  end;

  rule "is served"
    !hangs & socket[i] != Nothing & (state[i] = Up | state[i] = Frozen)
  ==> begin
    if socket[i] = Beat then
      beat(i); socket[i] := Nothing; timer[i] := 0;
    elsif state[i] = Up then
      socket[i] := Beat; timer[i] := 0;
    else
      socket[i] := Nothing; timer[i] := pace[i];  -- it sends its heartbeat once it runs again
    end;
  end;

  rule "an old heartbeat is served" !hangs & old[i] ==> begin beat(i); old[i] := false; end;
  rule "a confirmation is served" Losses > 0 & !hangs & i = Owner & state[i] != New ==> begin confirm(); end;

  rule "decides to take over" Variant = Local & i != Owner & state[i] = Up & !asked[i] ==> begin asked[i] := true; end;
  rule "a take-over is served"
    !hangs & i != Owner & (Variant = Local -> asked[i]) ==> begin takeOver(i); asked[i] := false; end;

  rule "freezes" Faults = 1 & state[i] = Up ==> begin state[i] := Frozen; end;
  rule "is cut off" Faults = 1 & state[i] = Up ==> begin state[i] := Stalled; end;
  rule "runs again" state[i] = Frozen | state[i] = Stalled ==> begin state[i] := Up; end;
  rule "dies"
    Faults = 1 & i != Owner & state[i] != Dead & state[i] != New
  ==> begin
    if socket[i] = Beat then old[i] := true; end;
    state[i] := Dead; socket[i] := Nothing; timer[i] := 0;
  end;
end;

rule "the server hangs" Hangs = 1 & !hangs & (Chained = 1 | quiet()) ==> begin blame(); hangs := true; end;
rule "the server goes on" hangs ==> begin hangs := false; end;

ruleset d: -8 .. 8 do
  rule "the server's clock is set forward by"
    steps < Steps & (hangs | quiet()) & (Clock = 0 & (d = 4 | d = 8) | Clock = 1 & d = 2 | Clock = 2 & (d = -2 | d = -4 | d = -8))
  ==> begin
    steps := steps + 1;
    for i: instance do
      if known[i] then
        if left[i] - d < Ago then left[i] := Ago; elsif left[i] - d > Far then left[i] := Far; else left[i] := left[i] - d; end;
      end;
    end;
    if noted then
      if answered + d > Past then answered := Past; elsif answered + d < -8 then answered := -8; else answered := answered + d; end;
    end;
  end;
end;

rule "the registry is lost"
  losses < Losses
==> begin
  losses := losses + 1;
  for i: instance do known[i] := false; left[i] := 0; end;
  noted := false; answered := 0; least := 0;
end;
