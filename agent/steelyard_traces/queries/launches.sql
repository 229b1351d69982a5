-- When the host asked for what a connection stands for; 4294967295 stands for none.
SELECT connectionId, min(startNs) FROM CANN_API WHERE connectionId <> 4294967295 GROUP BY connectionId
