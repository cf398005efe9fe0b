#!lua name=doorwarden
-- Applies charges to counters as doorwarden_decision's Counter::apply does, by the clock of this server.
--
-- KEYS     the counters, one per charge; they are independent
-- ARGV     for each: its movement, the milliseconds per slot, and the movement's number or 0
-- returns  for each: its count, its slot, and the milliseconds until the oldest event leaves
--
-- A counter is its newest slot followed by nine counts, the newest first, or up to four members, each
-- with the slot in which it was last seen.

local SLOTS = 8
local RING = SLOTS + 1
local MEMBERS = 4
local MOST = 65535
local WRAP = 4294967296

local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Returns how many slots `slot` is after `newest`; slots wrap, and a clock may go back.
local function passed(newest, slot)
  local age = (slot - newest) % WRAP
  if age >= WRAP / 2 then return 0 end
  return age
end

-- A state is its newest slot, followed by its nine counts.
local FORMAT = '<I4HHHHHHHHH'

local function write_ring(key, state, length)
  redis.call('SET', key, struct.pack(FORMAT, unpack(state, 1, RING + 1)), 'PX', length * RING)
end

-- Returns the events within the window that ends in `slot`, and the age of the oldest.
local function total(state, slot)
  local age, count, oldest = passed(state[1], slot), 0, nil
  for i = 1, RING - math.min(age, RING) do
    local events = state[i + 1]
    if events > 0 then
      count = count + events
      oldest = i - 1 + age
    end
  end
  return count, oldest
end

-- Removes up to `most` events from the slots `first` to `last`. An empty counter is deleted, or invented
-- names would fill the store.
local function take(key, state, length, first, last, most)
  for i = first + 1, last + 1 do
    local taken = math.min(most, state[i])
    state[i] = state[i] - taken
    most = most - taken
  end
  for i = 2, RING + 1 do
    if state[i] > 0 then return write_ring(key, state, length) end
  end
  redis.call('DEL', key)
end

local function events(now, key, movement, length, a)
  local slot = math.floor(now / length) % WRAP
  local stored = redis.call('GET', key)
  local state = stored and { struct.unpack(FORMAT, stored) } or { slot, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
  if movement == 'add' then
    local age = math.min(passed(state[1], slot), RING)
    if age > 0 then
      for i = RING, 1, -1 do state[i + 1] = i > age and state[i + 1 - age] or 0 end
      state[1] = slot
    end
    state[2] = math.min(state[2] + 1, MOST)
    write_ring(key, state, length)
  elseif stored and movement == 'take_back' then
    local age = (state[1] - a) % WRAP
    if age < RING then take(key, state, length, age + 1, age + 1, 1) end
  elseif stored and movement == 'forgive' then
    take(key, state, length, 1, RING, a)
  end
  local count, oldest = total(state, slot)
  local leaves = 0
  if oldest then
    leaves = math.min(math.max((RING - oldest) * length - now % length, 0), WRAP - 1)
  end
  return count, state[1], leaves
end

local function live(seen, slot)
  local age = (slot % 65536 - seen) % 65536
  return age >= 32768 or age <= SLOTS
end

local function members(now, key, movement, length, member)
  local slot = math.floor(now / length) % WRAP
  local state = redis.call('GET', key)
  local known = {}
  if state then
    for at = 1, #state, 6 do
      local m, seen = struct.unpack('<I4H', state, at)
      known[#known + 1] = { m, seen }
    end
  end
  if movement == 'recall' then
    local best = 0
    for _, k in ipairs(known) do
      if live(k[2], slot) then
        if k[1] == member then best = 2
        elseif best == 0 and math.floor(k[1] / 256) == math.floor(member / 256) then best = 1 end
      end
    end
    return best, slot, 0
  end
  -- The member's own place, a free one, or that of the member seen longest ago.
  local place, oldest = nil, -1
  for i, k in ipairs(known) do
    if k[1] == member then place = i end
  end
  if not place and #known < MEMBERS then place = #known + 1 end
  if not place then
    for i, k in ipairs(known) do
      local age = (slot % 65536 - k[2]) % 65536
      if age > oldest then place, oldest = i, age end
    end
  end
  known[place] = { member, slot % 65536 }
  local parts = {}
  for i, k in ipairs(known) do parts[i] = struct.pack('<I4H', k[1], k[2]) end
  redis.call('SET', key, table.concat(parts), 'PX', length * RING)
  return 0, slot, 0
end

local function charge(keys, args)
  local now, answers = clock(), {}
  for i, key in ipairs(keys) do
    local movement, length = args[3 * i - 2], tonumber(args[3 * i - 1])
    local kind = (movement == 'recall' or movement == 'remember') and members or events
    local count, slot, leaves = kind(now, key, movement, length, tonumber(args[3 * i]))
    answers[3 * i - 2], answers[3 * i - 1], answers[3 * i] = count, slot, leaves
  end
  return answers
end
