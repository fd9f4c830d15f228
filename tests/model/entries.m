-- What happens to an entry between its delivery and its end: a model of src/daebus/queues.
--
-- Read README.md first. There is no time here: lease.m shows that an instance which is alive and in reach is not robbed,
-- and that one which may be robbed knows it by its own clock. So "is silent for a lease" is one step, which may happen
-- to any instance, and makes all that it has in hand `stale` in the same moment. A stale entry must be confirmed before
-- it is started or settled.
--
-- Each answer of the server may be lost, and each settlement waits on a connection that may outlive its instance.

const
  Variant: 0;      -- one of the names below
  Instances: 3;
  Entries: 2;
  Deaths: 2;       -- how many instances die or stop; one always remains
  Lapses: 1;       -- how often a living instance is silent for a lease
  Lost: 1;         -- 1: answers of the server may be lost
  Most: 2;         -- deliveries that may end with a death; 2 is that of a call

  -- The protocol, and mistakes that the checker must find.
  Right: 0;
  AllSuspects: 1;  -- all entries of a dead instance are claimed, and counted, at once, and wait in the next one
  LostAnswer: 2;   -- a suspect whose answer was lost does not keep the turn
  NoCheck: 3;      -- an entry is started without confirmation after a lapse
  NoConfirm: 4;    -- and settled without it
  LateAnswer: 5;   -- an answer is trusted, however old it is when it is read

type
  instance: scalarset(Instances);
  entry: scalarset(Entries);
  place: enum { Waiting, Pending, Delayed, Done, Letter };

var
  -- The server.
  where: array [entry] of place;
  owner: array [entry] of instance;      -- the consumer for which it is pending
  count: array [entry] of 0 .. 4;        -- times_delivered
  expired: array [instance] of boolean;  -- the registry says that it is dead
  settles: array [instance] of array [entry] of boolean;  -- XACK and XDEL wait on a connection of this instance

  -- The instances, and what each has in hand.
  up: array [instance] of boolean;
  stopped: array [instance] of boolean;
  hand: array [instance] of array [entry] of enum { Nothing, Got, Asks, Yes, Running, Ended };
  ran: array [instance] of array [entry] of boolean;      -- its handler has ended
  suspect: array [instance] of array [entry] of boolean;  -- it has the turn of the suspects
  stale: array [instance] of array [entry] of boolean;

  failed: array [entry] of boolean;
  deaths: 0 .. Deaths;
  lapses: 0 .. Lapses;

  -- For the properties only: whether a handler ran to its end, and how often the owner of the entry was taken for dead
  -- while no other entry counted as its suspect.
  handled: array [entry] of boolean;
  alone: array [entry] of 0 .. Most;

-- A suspect runs here, or may: TAKE_OVER claimed it, whether or not the answer arrived.
function hasSuspect(i: instance): boolean;
begin
  return exists e: entry do
    hand[i][e] != Nothing & suspect[i][e]
    | Variant != LostAnswer & where[e] = Pending & owner[e] = i & count[e] > 1
  end;
end;

procedure drop(i: instance; e: entry);
begin
  hand[i][e] := Nothing; ran[i][e] := false; suspect[i][e] := false; stale[i][e] := false;
end;

-- The entry leaves the stream; a retry has another id, so no old settlement meets it.
procedure leaves(e: entry; to_: place);
begin
  where[e] := to_; count[e] := 0; undefine owner[e];
  for i: instance do settles[i][e] := false; end;
end;

procedure blame(i: instance);
var suspects: 0 .. Entries;
begin
  suspects := 0;
  for e: entry do
    if where[e] = Pending & owner[e] = i & count[e] > 1 then suspects := suspects + 1; end;
  end;
  for e: entry do
    if suspects = 1 & where[e] = Pending & owner[e] = i & count[e] > 1 & alone[e] < Most then alone[e] := alone[e] + 1; end;
  end;
end;

startstate
begin
  for e: entry do
    where[e] := Waiting; count[e] := 0; failed[e] := false; handled[e] := false; alone[e] := 0;
    for i: instance do drop(i, e); settles[i][e] := false; end;
  end;
  for i: instance do up[i] := true; stopped[i] := false; expired[i] := false; end;
  deaths := 0; lapses := 0;
end;

ruleset i: instance; e: entry do

  ruleset received: boolean do  -- whether its answer arrives
    -- XREADGROUP. It may wait on a connection of an instance that is dead.
    rule "reads an entry"
      !stopped[i] & where[e] = Waiting & (received ? up[i] : Lost = 1)
    ==> begin
      where[e] := Pending; owner[e] := i; count[e] := 1;
      if received then hand[i][e] := Got; stale[i][e] := expired[i]; end;
    end;

    -- TAKE_OVER: any entry of an instance that stopped; of one that is dead, one suspect with the least count.
    rule "takes an entry over"
      !stopped[i] & !expired[i] & (received ? up[i] : Lost = 1)
      & where[e] = Pending & owner[e] != i & expired[owner[e]]
      & (count[e] = 0 | Variant = AllSuspects | !hasSuspect(i) & !exists f: entry do
           where[f] = Pending & owner[f] != i & expired[owner[f]] & 0 < count[f] & count[f] < count[e] end)
    ==> begin
      owner[e] := i; count[e] := count[e] + 1;
      if received then hand[i][e] := Got; suspect[i][e] := count[e] > 1; stale[i][e] := false; end;
    end;
  end;

  -- OWNED, after an answer was lost.
  rule "takes up an entry that it did not receive"
    up[i] & where[e] = Pending & owner[e] = i & hand[i][e] = Nothing & !settles[i][e]
  ==> begin hand[i][e] := Got; stale[i][e] := true; suspect[i][e] := count[e] > 1; end;

  -- CONFIRM is a heartbeat, too.
  rule "asks whether an entry is still its own"
    up[i] & (hand[i][e] = Got | hand[i][e] = Ended) & stale[i][e]
  ==> begin
    if where[e] = Pending & owner[e] = i then
      hand[i][e] := Yes; stale[i][e] := false; expired[i] := false;
    else
      drop(i, e);
    end;
  end;

  -- If the instance was silent for a lease meanwhile, it knows that, and asks again.
  rule "reads the answer"
    up[i] & hand[i][e] = Yes
  ==> begin
    hand[i][e] := ran[i][e] ? Ended : Got;
    if Variant = LateAnswer then stale[i][e] := false; end;
  end;

  -- Of the suspects that an instance has, by whatever accident, one runs at a time.
  rule "starts the handler"
    up[i] & hand[i][e] = Got & (!stale[i][e] | Variant = NoCheck)
    & (suspect[i][e] & Variant != AllSuspects -> !exists f: entry do f != e & suspect[i][f] & (hand[i][f] = Running | ran[i][f]) end)
  ==> begin
    assert where[e] != Pending | owner[e] = i "a handler starts for an entry of another instance";
    if count[e] > Most then
      assert alone[e] >= Most - 1 "a dead letter of an entry that never was alone when an instance died";
      drop(i, e);
      if where[e] = Pending & owner[e] = i then leaves(e, Letter); end;
    else
      hand[i][e] := Running;
    end;
  end;

  rule "the handler succeeds"
    up[i] & hand[i][e] = Running ==> begin hand[i][e] := Ended; ran[i][e] := true; handled[e] := true; end;

  -- The retry is scheduled in the step that finds that the entry is still its own.
  rule "the handler fails"
    up[i] & hand[i][e] = Running & !failed[e]
  ==> begin
    drop(i, e);
    if where[e] = Pending & owner[e] = i then failed[e] := true; leaves(e, Delayed); end;
  end;

  rule "settles the entry"
    up[i] & hand[i][e] = Ended & (!stale[i][e] | Variant = NoConfirm)
  ==> begin
    assert where[e] != Pending | owner[e] = i "an instance settles an entry of another one";
    settles[i][e] := where[e] = Pending; drop(i, e);
  end;

  rule "the settlement is served"
    settles[i][e] ==> begin assert handled[e] "settled, and never handled"; leaves(e, Done); end;

  -- XACK is sent again by an instance that lives.
  rule "the settlement is lost"
    settles[i][e] & !up[i] ==> begin settles[i][e] := false; end;
end;

ruleset e: entry do
  rule "its retry is due" where[e] = Delayed ==> begin where[e] := Waiting; end;
end;

ruleset i: instance do
  rule "is silent for a lease"
    !expired[i] & (up[i] -> lapses < Lapses)
  ==> begin
    expired[i] := true; blame(i);
    if up[i] then
      lapses := lapses + 1;
      for e: entry do stale[i][e] := hand[i][e] != Nothing; end;
    end;
  end;
  rule "is heard again" up[i] & expired[i] ==> begin expired[i] := false; end;

  rule "dies"
    up[i] & deaths < Deaths
  ==> begin
    deaths := deaths + 1; up[i] := false;
    for e: entry do drop(i, e); end;
  end;

  -- LEAVE: what it could not finish is returned, and this delivery does not count.
  rule "stops in order"
    up[i] & deaths < Deaths
  ==> begin
    deaths := deaths + 1; up[i] := false; stopped[i] := true; expired[i] := true;
    for e: entry do
      drop(i, e);
      if where[e] = Pending & owner[e] = i then count[e] := count[e] - 1; end;
    end;
  end;
end;

-- Nothing is lost: whatever happened, each entry can still be handled or become a dead letter.
liveness "an entry is lost" forall e: entry do where[e] = Done | where[e] = Letter end;
