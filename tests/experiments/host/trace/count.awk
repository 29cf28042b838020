# What import counts of mmap_lock, counted again: acquisitions, waits and holds by mode, of perf script or ftrace.
match($0, /[- ][0-9]+ +\[[0-9]+\]/) { t = substr($0, RSTART + 1) + 0; w = /write=true/ }
/start_locking:/ { asks[t] = w + 1; c[t] = 0; for (h in holds) if (w || holds[h] == 2) c[t] = 1 }
/contention_begin:.*flags=(READ|WRITE)\)/ { if (t in asks) c[t] = 1 }
/acquire_returned:.*success=false/ { delete asks[t] }
/acquire_returned:.*success=true/ { if (!(t in asks) && mine[t] == 2 && !w) held["write"]++
  else { got[w ? "write" : "read"]++; if (t in asks && c[t]) waited[w ? "write" : "read"]++ }
  for (h in holds) if (w || holds[h] == 2) delete holds[h]; for (o in asks) if (o != t && (w || asks[o] == 2)) c[o] = 1
  holds[t] = mine[t] = w + 1; delete asks[t] }
/mmap_lock_released:/ { if (mine[t]) held[w ? "write" : "read"]++; delete holds[t]; mine[t] = 0 }
END { for (m in got) print m, got[m] + 0, waited[m] + 0, held[m] + 0 }
