SELECT kind, flush, day, agents, epochs, seqs, sign_agent, sign_epoch, sign_seq
FROM steelyard_store.intent FINAL
ORDER BY flush
