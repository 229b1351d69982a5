(SELECT if(count() = 0, 15000, argMax(window_ms, ver)) FROM steelyard_store.live_window)
