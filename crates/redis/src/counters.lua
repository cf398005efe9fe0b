#!lua name=doorwarden
-- One charge on one counter: what doorwarden_decision's Counter::apply does, by this server's clock.
--
-- KEYS[1]  the counter
-- ARGV     movement, milliseconds a slot, and the movement's number, if it has one
-- answers  count, slot, milliseconds until the oldest leaves
--
-- A counter is its newest slot and then either nine counts, the newest first, or up to four
-- members, each with the slot in which it was last seen.

local SLOTS = 8
local RING = SLOTS + 1
local MEMBERS = 4
local MOST = 65535
local WRAP = 4294967296

local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- How many slots later `slot` is than `newest`; slots wrap, and a clock may go back.
local function passed(newest, slot)
  local age = (slot - newest) % WRAP
  if age >= WRAP / 2 then return 0 end
  return age
end

local function read_ring(state, slot)
  local ring = {}
  if not state then
    for i = 1, RING do ring[i] = 0 end
    return slot, ring
  end
  local fields = { struct.unpack('<I4HHHHHHHHH', state) }
  for i = 1, RING do ring[i] = fields[i + 1] end
  return fields[1], ring
end

local function write_ring(key, newest, ring, length)
  local sum = 0
  for i = 1, RING do sum = sum + ring[i] end
  -- What was refused leaves nothing: or invented names would fill the store.
  if sum == 0 then redis.call('DEL', key) return end
  local state = struct.pack('<I4HHHHHHHHH', newest, unpack(ring))
  redis.call('SET', key, state, 'PX', length * RING)
end

-- The counts within the window that ends in `slot`, and how old the oldest of them is.
local function total(newest, ring, slot)
  local age, count, oldest = passed(newest, slot), 0, nil
  for i = 1, RING - math.min(age, RING) do
    count = count + ring[i]
    if ring[i] > 0 then oldest = i - 1 + age end
  end
  return count, oldest
end

local function events(key, movement, length, a)
  local now = clock()
  local slot = math.floor(now / length) % WRAP
  local state = redis.call('GET', key)
  local newest, ring = read_ring(state, slot)
  if movement == 'add' then
    local age = math.min(passed(newest, slot), RING)
    if age > 0 then
      for i = RING, 1, -1 do ring[i] = ring[i - age] or 0 end
      newest = slot
    end
    ring[1] = math.min(ring[1] + 1, MOST)
    write_ring(key, newest, ring, length)
  elseif state and movement == 'take_back' then
    local age = (newest - a) % WRAP
    if age < RING then
      ring[age + 1] = math.max(ring[age + 1] - 1, 0)
      write_ring(key, newest, ring, length)
    end
  elseif state and movement == 'forgive' then
    local left = a
    for i = 1, RING do
      local taken = math.min(left, ring[i])
      ring[i] = ring[i] - taken
      left = left - taken
    end
    write_ring(key, newest, ring, length)
  end
  local count, oldest = total(newest, ring, slot)
  local leaves = 0
  if oldest then
    leaves = math.min(math.max((RING - oldest) * length - now % length, 0), WRAP - 1)
  end
  return { count, newest, leaves }
end

local function live(seen, slot)
  local age = (slot % 65536 - seen) % 65536
  return age >= 32768 or age <= SLOTS
end

local function members(key, movement, length, member)
  local slot = math.floor(clock() / length) % WRAP
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
    return { best, slot, 0 }
  end
  -- Its own place, a free one, or that of the one seen longest ago.
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
  return { 0, slot, 0 }
end

local function charge(keys, args)
  local movement, length = args[1], tonumber(args[2])
  local a = tonumber(args[3] or 0)
  if movement == 'recall' or movement == 'remember' then
    return members(keys[1], movement, length, a)
  end
  return events(keys[1], movement, length, a)
end
