-- Deletes those of KEYS that are still the caller's. ARGV: its token.
for i = 1, #KEYS do
  if redis.call('GET', KEYS[i]) == ARGV[1] then redis.call('DEL', KEYS[i]) end
end
