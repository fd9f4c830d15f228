-- Requests with the same idempotency key: a model of src/daebus/queues/idempotency.py.
--
-- Read README.md first. All requests here have one key and one payload. There is no time, and an instance may be robbed
-- of an entry at any moment, as after a lapse: `entries.m` has what it knows of that. What is kept for a key does not
-- expire. An answer of the server may be lost; then the instance sends the same step again.

const
  Variant: 0;      -- one of the names below
  Instances: 2;
  Requests: 2;
  Deaths: 1;       -- how many instances die; one always remains
  Lapses: 2;       -- how often an entry is taken over from an instance that lives
  Failures: 1;     -- how often a handler fails
  Lost: 1;         -- how many answers of the server are lost
  Most: 8;         -- more runs than there can be

  -- The protocol, and mistakes that the checker must find.
  Right: 0;
  NoOwner: 1;      -- an outcome is stored without a look at who owns the entry
  NoRun: 2;        -- a request runs although another one with the key does
  NoResend: 3;     -- an outcome that was stored is not recognised when the step is sent again
  NoRelease: 4;    -- when a run has failed, no request that waits is run instead

type
  instance: scalarset(Instances);
  request: scalarset(Requests);

var
  -- The server: the entries, with the number of deliveries, and what the key has.
  where: array [request] of enum { Waiting, Pending, Parked, Gone };
  owner: array [request] of instance;
  count: array [request] of 0 .. 6;
  runs: array [request] of boolean;      -- the entry that runs for the key
  done: boolean;                         -- the key has an outcome,
  outcome: 0 .. Most;                    -- which is that of this run,
  storer: array [request] of array [instance] of 0 .. 6;  -- stored by this delivery; 0: by none

  -- The instances: what each has in hand, by which delivery, and which run it is.
  up: array [instance] of boolean;
  hand: array [instance] of array [request] of enum { Nothing, Got, Running, Ended };
  held: array [instance] of array [request] of 0 .. 6;
  number: array [instance] of array [request] of 0 .. Most;

  -- The callers: whether each was told something, and of which run; 0: an error.
  told: array [request] of boolean;
  reply: array [request] of 0 .. Most;

  newest: 0 .. Most;
  deaths: 0 .. Deaths;
  lapses: 0 .. Lapses;
  failures: 0 .. Failures;
  lost: 0 .. Lost;

function isMine(i: instance; r: request): boolean;
begin
  return where[r] = Pending & owner[r] = i & count[r] = held[i][r];
end;

procedure drop(i: instance; r: request);
begin
  hand[i][r] := Nothing; held[i][r] := 0; number[i][r] := 0;
end;

procedure leaves(r: request);
begin
  where[r] := Gone; count[r] := 0; undefine owner[r];
end;

procedure tell(r: request; run: 0 .. Most);
begin
  assert told[r] & reply[r] != 0 & run != 0 -> reply[r] = run "a caller gets the outcomes of two runs";
  told[r] := true; reply[r] := run;
end;

startstate
begin
  for r: request do
    where[r] := Waiting; count[r] := 0; runs[r] := false; told[r] := false; reply[r] := 0;
    for i: instance do storer[r][i] := 0; drop(i, r); end;
  end;
  for i: instance do up[i] := true; end;
  done := false; outcome := 0; newest := 0; deaths := 0; lapses := 0; failures := 0; lost := 0;
end;

ruleset i: instance; r: request do

  rule "reads an entry"
    up[i] & where[r] = Waiting
  ==> begin where[r] := Pending; owner[r] := i; count[r] := 1; hand[i][r] := Got; held[i][r] := 1; end;

  rule "takes an entry over"
    up[i] & where[r] = Pending & owner[r] != i & hand[i][r] = Nothing & (up[owner[r]] -> lapses < Lapses)
  ==> begin
    if up[owner[r]] then lapses := lapses + 1; end;
    owner[r] := i; count[r] := count[r] + 1; hand[i][r] := Got; held[i][r] := count[r];
  end;

  ruleset received: boolean do  -- whether its answer arrives

    -- _CLAIM
    rule "claims the key"
      up[i] & hand[i][r] = Got & (received | lost < Lost)
    ==> begin
      if !received then lost := lost + 1; end;
      if !isMine(i, r) then
        if received then drop(i, r); end;
      elsif done then
        if received then tell(r, outcome); leaves(r); drop(i, r); end;
      elsif Variant != NoRun & exists other: request do other != r & runs[other] & where[other] != Gone end then
        where[r] := Parked; count[r] := 0; undefine owner[r];
        if received then drop(i, r); end;
      else
        assert !exists other: request do other != r & runs[other] & where[other] != Gone end
          "two requests with one key run at once";
        for other: request do runs[other] := other = r; end;
        if received then newest := newest + 1; number[i][r] := newest; hand[i][r] := Running; end;
      end;
    end;

    -- _STORE, and the replies to all that waited.
    rule "stores the outcome"
      up[i] & hand[i][r] = Ended & (received | lost < Lost)
    ==> begin
      if !received then lost := lost + 1; end;
      if Variant != NoResend & storer[r][i] = held[i][r] | (Variant = NoOwner | isMine(i, r)) & runs[r] then
        if storer[r][i] != held[i][r] then
          assert !done "a key has two outcomes";
          assert number[i][r] = newest "the outcome of an earlier run is stored";
          done := true; outcome := number[i][r]; runs[r] := false; storer[r][i] := held[i][r];
          leaves(r);
        end;
        if received then
          for other: request do
            if where[other] = Parked then tell(other, outcome); leaves(other); end;
          end;
          tell(r, outcome); drop(i, r);
        end;
      elsif received then
        assert storer[r][i] != held[i][r] "an instance drops the outcome that it has stored";
        drop(i, r);
      end;
    end;
  end;

  rule "the handler ends"
    up[i] & hand[i][r] = Running ==> begin hand[i][r] := Ended; end;

  -- _RELEASE: the next one runs, as a new entry; the caller of this one is told of the error.
  rule "the handler fails"
    up[i] & hand[i][r] = Running & failures < Failures
  ==> begin
    failures := failures + 1;
    if isMine(i, r) then
      runs[r] := false;
      if Variant != NoRelease then
        for other: request do
          if where[other] = Parked & !exists q: request do runs[q] end then where[other] := Waiting; runs[other] := true; end;
        end;
      end;
      tell(r, 0); leaves(r);
    end;
    drop(i, r);
  end;
end;

ruleset i: instance do
  rule "dies"
    up[i] & deaths < Deaths
  ==> begin
    deaths := deaths + 1; up[i] := false;
    for r: request do drop(i, r); end;
  end;
end;

-- A request whose instance dies after the outcome was stored, and before its caller is told, gets it when it is sent again.
liveness "a request never ends" forall r: request do where[r] = Gone | done end;
